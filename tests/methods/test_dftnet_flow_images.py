import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.methods.dftnet.evaluation import flows
from lgan_jax.ops import warp


def _constant(x, y, size=8):
    return np.zeros((size, size, 2), np.float32) + np.float32([x, y])


@pytest.mark.parametrize(
    ("x", "y", "low", "high"),
    [(1, 0, 0, 0), (0, 1, 40, 90), (-1, 0, 150, 200), (0, -1, 240, 300)],  # red; yellow to green; cyan; blue to violet
)
def test_directions_have_their_colours(x, y, low, high):
    color = flows.colored(_constant(0.02 * x, 0.02 * y), 0.02)[0, 0] / 255
    hue, saturation, _ = colorsys.rgb_to_hsv(*color)
    assert low <= 360 * hue <= high
    assert saturation == pytest.approx(1, abs=0.02)


def test_length_is_saturation_and_beyond_the_scale_is_darker():
    lengths = [0.0, 0.01, 0.02, 0.04]
    colors = [flows.colored(_constant(length, 0), 0.02)[0, 0] for length in lengths]
    assert [color.tolist() for color in colors] == [[255, 255, 255], [255, 128, 128], [255, 0, 0], [191, 0, 0]]
    with pytest.raises(ValueError, match="above 0"):
        flows.colored(_constant(0, 0), 0.0)


def test_the_legend_is_a_disc_of_the_same_colours():
    wheel = flows.legend(64)
    assert (wheel[0, 0] == 28).all()
    assert (wheel[31, 31] > 240).all()
    np.testing.assert_allclose(wheel[32, 61], [255, 10, 5], atol=25)


def test_images_are_warped_as_the_model_warps_them():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    flow = random.uniform(-0.3, 0.3, (8, 8, 2)).astype(np.float32)
    sampled = jax.jit(warp.sample)(jnp.asarray(image, jnp.float32), warp.pixel_centers(8, 8) + flow)
    np.testing.assert_allclose(flows.warped(image, flow), sampled, atol=6)  # OpenCV counts 1/32 of a pixel


def test_a_flow_is_enlarged_with_the_image():
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    moved = flows.warped(image, _constant(4 / 32, -2 / 32))
    np.testing.assert_array_equal(moved[2:, :-4], image[:-2, 4:])


def test_the_grid_stays_straight_without_a_flow_and_bends_with_one():
    grey = np.full((8, 8, 3), 90, np.uint8)
    straight = flows.warped_grid(grey, _constant(0, 0), 64)
    lines = (straight != 90).any(-1)
    assert lines[:, 4].all()
    assert not lines[2, 2]
    assert lines.sum() == 64 * 64 - 49 * 64 + (49 * 64 - 49 * 49)
    flow = _constant(0, 0)
    flow[4, 4] = 0.1
    assert (flows.warped_grid(grey, flow, 64) != straight).any()
