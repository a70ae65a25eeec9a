import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import checks

FACES = np.zeros((2, 5, 5, 3))


def landmarks(x, y=0.5):
    return np.tile(np.float32([x, y]), (3, 7, 1))


@pytest.mark.parametrize("values", [FACES, FACES.astype(np.float16), jnp.asarray(FACES, jnp.bfloat16), FACES - 1])
def test_images_of_any_floating_type_are_taken(values):
    taken = checks.images(values, None, 5, 5, 3)
    assert (taken.dtype, taken.shape) == (np.float32, (2, 5, 5, 3))


def test_a_rounding_error_is_clipped():
    assert np.abs(checks.images(FACES + 1.0005, None, 5, 5, 3)).max() == 1
    assert checks.ranged("action units", np.full((2, 3), -1e-4), (2, 3), 0.0, 1.0).min() == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            FACES.astype(np.uint8),
            r"images are uint8; expected floating-point numbers in \[-1, 1\]: of bytes, x",
        ),
        (FACES.astype(np.int64), r"images are int64; expected .* in \[-1, 1\]"),
        (FACES + 1.05, r"images must be in \[-1, 1\]; these are from 1\.05 to 1\.05"),
        (FACES + 255, r"images must be in \[-1, 1\]; these are from 255 to 255"),
        (FACES - 1.01, r"images must be in \[-1, 1\]; these are from -1\.01"),
        (FACES * np.nan, r"images hold values that are not finite; they must be in \[-1, 1\]"),
        (FACES + 0j, "images are complex128; expected real numbers"),
        (FACES.astype(bool), "images are bool; expected real numbers"),
        (FACES.astype(object), "images are object; expected real numbers"),
        (FACES.astype(str), "expected real numbers"),
        (FACES[..., :1], r"images have the shape \(2, 5, 5, 1\); expected \(B, 5, 5, 3\)"),
        (FACES[0], r"images have the shape \(5, 5, 3\); expected \(B, 5, 5, 3\)"),
        (FACES[:, :4], r"images have the shape \(2, 4, 5, 3\); expected \(B, 5, 5, 3\)"),
    ],
)
def test_what_are_no_images_is_said_in_one_line(values, message):
    with pytest.raises(ValueError, match=message) as caught:
        checks.images(values, None, 5, 5, 3)
    assert "\n" not in str(caught.value)


def test_leading_axes():
    assert checks.images(FACES[0], 5, 5, 3, leading=True).shape == (5, 5, 3)
    assert checks.images(FACES[None], 5, 5, 3, leading=True).shape == (1, 2, 5, 5, 3)
    with pytest.raises(ValueError, match=r"images have the shape \(3,\); expected \(\.\.\., 5, 5, 3\)"):
        checks.images(FACES[0, 0, 0], 5, 5, 3, leading=True)
    assert checks.images(FACES[:0], None, 5, 5, 3).shape == (0, 5, 5, 3)


@pytest.mark.parametrize("x", [-1.0, -0.5, 0, 1, 1.5, 2.0])
def test_landmarks_may_lie_an_image_outside(x):
    assert checks.landmarks(landmarks(x), 7, 2, leading=True).shape == (3, 7, 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (landmarks(17, 3), r"fractions of the image, in \[0, 1\]; these are from 3 to 17 \(lgan_jax\.coordinates\."),
        (landmarks(17, 3).astype(int), r"fractions of the image, in \[0, 1\]; these are from 3 to 17"),
        (landmarks(-1.1), r"fractions of the image, in \[0, 1\]; these are from -1\.1 to 0\.5"),
        (landmarks(np.nan), "ibug68 landmarks hold values that are not finite"),
        (landmarks(0.5)[:, :6], r"ibug68 landmarks have the shape \(3, 6, 2\); expected \(\.\.\., 7, 2\)"),
        (landmarks(0.5)[..., :1], r"ibug68 landmarks have the shape \(3, 7, 1\); expected"),
        (landmarks(0.5)[0, 0], r"ibug68 landmarks have the shape \(2,\); expected"),
    ],
)
def test_what_are_no_landmarks_is_said(values, message):
    with pytest.raises(ValueError, match=message):
        checks.landmarks(values, 7, 2, scheme="ibug68", leading=True)


@pytest.mark.parametrize("values", [np.array([0, 2]), np.array([0, -1]), np.array([0.0, 1.0]), np.array([0])])
def test_indices(values):
    assert checks.indices("expressions", np.uint8([1, 0]), (2,), ("sad", "glad")).dtype == np.int32
    with pytest.raises(ValueError, match=r"expressions are \[.*\]; expected \(2\) whole numbers from 0 to 1, of sad, "):
        checks.indices("expressions", values, (2,), ("sad", "glad"))
