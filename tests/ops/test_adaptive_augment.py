"""Adaptive discriminator augmentation: what it leaves alone, its matrices and colors by hand, gradients."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops import adaptive_augment
from lgan_jax.ops.warp import affine_image


@pytest.fixture
def image() -> jax.Array:
    """In [-1, 1], smooth enough to be resampled."""
    coarse = np.random.default_rng(0).uniform(-1, 1, (4, 4, 3)).astype(np.float32)
    return jax.image.resize(coarse, (16, 16, 3), "linear")


def test_probability_zero_leaves_images_as_they_are(image):
    for seed in range(5):
        np.testing.assert_allclose(adaptive_augment.augmented(jax.random.key(seed), image, 0.0), image, atol=1e-6)


def test_probability_one_changes_every_image(image):
    keys = jax.random.split(jax.random.key(0), 16)
    changed = jax.vmap(adaptive_augment.augmented, (0, None, None))(keys, image, 1.0)
    assert (jnp.abs(changed - image[None]).mean((1, 2, 3)) > 0.05).all()
    assert jnp.isfinite(changed).all()


def test_the_share_of_changed_images_follows_the_probability():
    """The transformations are independent: mirroring alone gives the matrix a negative determinant in p/2 of cases."""
    keys = jax.random.split(jax.random.key(1), 4000)
    matrices, shifts = jax.vmap(adaptive_augment.random_affine, (0, None, None))(keys, 0.4, 16)
    assert abs(float((jnp.linalg.det(matrices) < 0).mean()) - 0.2) < 0.03
    still = (jnp.abs(matrices - jnp.eye(2)[None]).max((1, 2)) < 1e-6) & (jnp.abs(shifts).max(1) < 1e-6)
    # mirroring (half), quarter turns (three of four), pixels, scale, two rotations (p together), stretch, shift
    expected = 0.8 * 0.7 * 0.6 * 0.6 * 0.6 * 0.6 * 0.6
    assert abs(float(still.mean()) - expected) < 0.03


def test_scales_are_log_normal():
    keys = jax.random.split(jax.random.key(2), 4000)
    matrices, _ = jax.vmap(adaptive_augment.random_affine, (0, None, None))(keys, 1.0, 16)
    area = jnp.log(jnp.abs(jnp.linalg.det(matrices)))  # the isotropic scale, squared
    assert abs(float(area.std()) - 2 * 0.2 * math.log(2)) < 0.02


def test_mirrored_borders(image):
    """A shift by a quarter of the width shows the left part of the image twice, the first time mirrored."""
    moved = affine_image(image, jnp.eye(2), jnp.array([0.25, 0.0]), mirror_borders=True)
    np.testing.assert_allclose(moved[:, 4:], image[:, :12], atol=1e-5)
    np.testing.assert_allclose(moved[:, :4], image[:, 3::-1], atol=1e-5)


def test_gray_stays_gray(image):
    """Hue, saturation and luma turn about the gray axis: a gray image keeps three equal channels."""
    gray = jnp.repeat(image.mean(-1, keepdims=True), 3, -1)
    for seed in range(8):
        changed = np.asarray(adaptive_augment.augmented(jax.random.key(seed), gray, 1.0))
        np.testing.assert_allclose(changed - changed.mean(-1, keepdims=True), 0, atol=1e-5)


def test_gradients_reach_the_images(image):
    weights = jax.random.normal(jax.random.key(3), image.shape)

    def loss(x):
        return (weights * adaptive_augment.augmented(jax.random.key(4), x, 0.9)).sum()

    gradient = jax.grad(loss)(image)
    step = 1e-2 * jax.random.normal(jax.random.key(5), image.shape)
    numeric = (loss(image + step) - loss(image - step)) / 2  # the transformation is affine in the image
    assert float((gradient * step).sum()) == pytest.approx(float(numeric), rel=2e-3)
    assert float(jnp.abs(gradient).max()) > 0
