import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_methods import started

from lgan_jax.methods.landmarkgan.generator import LandmarksPhase
from lgan_jax.methods.landmarkgan.model import LandmarkGAN


@pytest.fixture(scope="module")
def parts(info, batch, earlier):
    method = LandmarksPhase(LandmarksPhase.Settings(width=1 / 64, discriminator_width=2), info, jnp.float32, earlier)
    return method, started(method, batch)


@pytest.fixture(scope="module")
def model(info, parts):
    return LandmarkGAN(info, *parts)


def faces(count):
    return np.random.default_rng(count).uniform(0.2, 0.8, (count, 68, 2)).astype(np.float32)


def test_convert_by_name_index_and_sequence(model, parts):
    method, state = parts
    landmarks = faces(5)
    expected = [np.asarray(jax.jit(method.convert)(state, landmarks, i)) for i in range(2)]
    np.testing.assert_allclose(model.convert(landmarks, "Grace"), expected[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.convert(landmarks, 0), expected[0], rtol=1e-4, atol=1e-5)
    mixed = model.convert(landmarks, ["Ada", 1, "Ada", np.int64(0), "Grace"])
    chosen = np.stack([expected[i][n] for n, i in enumerate((0, 1, 0, 0, 1))])
    np.testing.assert_allclose(mixed, chosen, rtol=1e-4, atol=1e-5)


def test_synthesize_any_leading_axes_and_more_than_a_chunk(model):
    landmarks = faces(18).reshape(2, 9, 68, 2)
    made = model.synthesize(landmarks, "Ada")
    assert made.shape == (2, 9, 32, 32, 3)
    assert np.abs(made).max() <= 1
    alone = model.synthesize(landmarks[1, 8], 0)
    assert alone.shape == (32, 32, 3)
    np.testing.assert_allclose(made[1, 8], alone, atol=1e-4)


def test_synthesize_converts_unless_told_not_to(model, parts):
    method, state = parts
    landmarks = faces(3)
    np.testing.assert_allclose(
        model.synthesize(landmarks, "Grace"),
        model.synthesize(model.convert(landmarks, "Grace"), "Grace", convert=False),
        atol=1e-4,
    )
    plain = jax.jit(method.synthesize)(state, landmarks, 1)
    np.testing.assert_allclose(model.synthesize(landmarks, "Grace", convert=False), plain, atol=1e-4)


def test_detect(model, parts, batch):
    method, state = parts
    found = model.detect(batch["image"])
    assert found.shape == (3, 2, 68, 2)
    np.testing.assert_allclose(found[:, 1], jax.jit(method.detect)(state, batch["image"][:, 1]), atol=1e-4)


def test_nothing_gives_nothing(model):
    assert model.synthesize(faces(0), "Ada").shape == (0, 32, 32, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.convert(faces(1), "Marie"), "unknown target 'Marie'; the targets are Ada, Grace"),
        (lambda m: m.synthesize(faces(1), 2), "unknown target 2"),
        (lambda m: m.synthesize(faces(1), -1), "unknown target -1"),
        (lambda m: m.convert(faces(3), [0, 1]), "2 targets for 3 landmark sets"),
        (lambda m: m.convert(faces(1)[:, :60], 0), r"ibug68 .* shape \(1, 60, 2\); expected \(\.\.\., 68, 2\)"),
        (
            lambda m: m.convert(32 * faces(1), 0),
            r"landmarks must be fractions of the image, in \[0, 1\]; these",
        ),
        (lambda m: m.synthesize(32 * faces(1), 0), r"landmarks must be fractions of the image, in \[0, 1\]"),
        (lambda m: m.synthesize(32 * faces(1), 0, convert=False), r"landmarks must be fractions of the image"),
        (lambda m: m.convert(np.nan * faces(1), 0), "landmarks hold values that are not finite"),
        (lambda m: m.detect(np.zeros((32, 32, 3), np.uint8)), r"images are uint8; .* in \[-1, 1\]"),
        (lambda m: m.detect(np.full((32, 32, 3), 255.0)), r"images must be in \[-1, 1\]; these are from 255"),
        (lambda m: m.detect(np.zeros((2, 64, 64, 3))), r"expected \(..., 32, 32, 3\)"),
    ],
)
def test_what_is_wrong_is_said(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)
