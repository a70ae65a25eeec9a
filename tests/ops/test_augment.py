import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.landmarks import IBUG68
from lgan_jax.ops import augment
from lgan_jax.ops.heatmaps import gaussians
from lgan_jax.ops.warp import pixel_centers


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_augmented_landmarks_stay_on_what_they_mark(seed):
    """A spot on each of three points, in red, green and blue, is found where its landmark has gone."""
    settings = augment.Settings(brightness=0.0, contrast=0.0, saturation=0.0)
    landmarks = np.full((68, 2), 0.5, np.float32)
    marked = {0: (0.3, 0.6), 8: (0.5, 0.75), 45: (0.65, 0.4)}
    for point, place in marked.items():
        landmarks[point] = place
    image = gaussians(jnp.asarray(landmarks[list(marked)]), 48, 60, 1.5)
    key = jax.random.key(seed)
    changed, moved = jax.jit(lambda k: augment.augmented(settings, IBUG68, k, image, jnp.asarray(landmarks)))(key)
    mirrored = not np.allclose(spot(changed, 0), moved[0], atol=0.02)
    names = [IBUG68.mirror[point] for point in marked] if mirrored else list(marked)
    for colour, point in enumerate(names):
        np.testing.assert_allclose(spot(changed, colour), moved[point], atol=0.01)


def spot(image, colour):
    """The centre of what is in one colour."""
    weight = np.asarray(image[..., colour]) / float(image[..., colour].sum())
    return (weight[..., None] * np.asarray(pixel_centers(48, 60))).sum((0, 1))


def test_augmentation_differs_from_example_to_example_and_stays_in_range():
    image = jax.random.uniform(jax.random.key(0), (24, 24, 3))
    keys = jax.random.split(jax.random.key(1), 16)
    run = jax.jit(jax.vmap(lambda k: augment.augmented(augment.Settings(), IBUG68, k, image, jnp.full((68, 2), 0.4))))
    images, landmarks = run(keys)
    assert images.min() >= 0
    assert images.max() <= 1
    assert len(np.unique(np.asarray(landmarks[:, 0, 0]))) == 16


def test_a_picture_without_landmarks_is_changed_as_one_with_them():
    image, key = jax.random.uniform(jax.random.key(0), (24, 24, 3)), jax.random.key(2)
    settings = augment.Settings()
    alone = jax.jit(lambda: augment.augmented_image(settings, key, image))()
    both = jax.jit(lambda: augment.augmented(settings, IBUG68, key, image, jnp.full((68, 2), 0.4))[0])()
    np.testing.assert_allclose(alone, both, atol=1e-6)
    assert np.abs(alone - image).max() > 0.1


def test_no_augmentation_leaves_pictures_as_they_are():
    image = jax.random.uniform(jax.random.key(0), (24, 24, 3))
    same = jax.jit(lambda: augment.augmented_image(augment.NONE, jax.random.key(1), image))()
    np.testing.assert_allclose(same, image, atol=1e-5)
