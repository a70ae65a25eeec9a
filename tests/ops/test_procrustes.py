"""Similarity transforms: numbers worked by hand, scikit-image, and what least squares must satisfy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops import procrustes

SQUARE = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0]])


def test_a_quarter_turn_twice_as_large_by_hand():
    # (x, y) → (−2y + 5, 2x − 1)
    target = np.array([[5.0, -1.0], [5.0, 3.0], [3.0, 3.0]])
    transform = procrustes.similarity(SQUARE, target)
    np.testing.assert_allclose(transform, [[0, -2, 5], [2, 0, -1]], atol=1e-12)
    np.testing.assert_allclose(procrustes.apply(transform, SQUARE), target, atol=1e-12)


def test_an_inexact_fit_by_hand():
    # x = ±1 on the x axis, y = ±3 on it but one end lifted: centred, Σx·y = 6, Σx×y = 1, Σ‖x‖² = 2.
    source = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    target = np.array([[-3.0, 0.0], [3.0, 1.0], [0.0, 0.5]])
    np.testing.assert_allclose(procrustes.similarity(source, target), [[3, -0.5, 0], [0.5, 3, 0.5]], atol=1e-12)


def test_a_mirrored_set_is_not_mirrored_back():
    mirrored = SQUARE * np.array([-1.0, 1.0])
    transform = procrustes.similarity(SQUARE, mirrored)
    assert np.linalg.det(transform[:, :2]) > 0
    assert np.abs(procrustes.apply(transform, SQUARE) - mirrored).max() > 0.3


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_agrees_with_scikit_image(noise):
    from skimage.transform import SimilarityTransform

    random = np.random.default_rng(3)
    for _ in range(5):
        source = random.normal(size=(7, 2))
        angle = random.uniform(-3, 3)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        target = 1.7 * source @ turn.T + [4, -9] + noise * random.normal(size=(7, 2))
        theirs = SimilarityTransform.from_estimate(source, target)
        ours = procrustes.similarity(source, target)
        np.testing.assert_allclose(ours, theirs.params[:2], atol=1e-9)


def test_batches_under_jit_equal_one_at_a_time():
    source, target = np.random.default_rng(4).normal(size=(2, 3, 4, 6, 2)).astype(np.float32)
    batched = jax.jit(procrustes.similarity)(jnp.asarray(source), jnp.asarray(target))
    moved = procrustes.apply(batched, jnp.asarray(source))
    assert batched.shape == (3, 4, 2, 3)
    for i in range(3):
        for j in range(4):
            one = procrustes.similarity(source[i, j].astype(np.float64), target[i, j].astype(np.float64))
            np.testing.assert_allclose(batched[i, j], one, atol=1e-5)
            expected = source[i, j] @ one[:, :2].T + one[:, 2]
            np.testing.assert_allclose(moved[i, j], expected, atol=1e-5)


def test_inverse_by_hand_and_in_batches():
    # (x, y) → (−2y + 5, 2x − 1) is undone by (u, v) → ((v + 1)/2, (5 − u)/2).
    by_hand = procrustes.inverse(np.array([[0.0, -2.0, 5.0], [2.0, 0.0, -1.0]]))
    np.testing.assert_allclose(by_hand, [[0, 0.5, 0.5], [-0.5, 0, 2.5]], atol=1e-12)
    source, target = np.random.default_rng(5).normal(size=(2, 3, 6, 2))
    transform = procrustes.similarity(source, target)
    there_and_back = procrustes.apply(procrustes.inverse(transform), procrustes.apply(transform, source))
    np.testing.assert_allclose(there_and_back, source, atol=1e-9)


def test_coinciding_points_have_no_answer():
    with np.errstate(invalid="ignore"):
        transform = procrustes.similarity(np.ones((5, 2)), np.random.default_rng(6).normal(size=(5, 2)))
    assert not np.isfinite(transform).all()
