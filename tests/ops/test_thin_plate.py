import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.ops.thin_plate import blended_warps, thin_plate_flow, warp_to_landmarks


@pytest.fixture(scope="module")
def landmarks():
    x, y = np.meshgrid(np.linspace(0.2, 0.8, 5), np.linspace(0.25, 0.75, 4))
    points = np.stack([x, y], -1).reshape(-1, 2)
    return jnp.asarray(points + np.random.default_rng(0).normal(0, 0.01, points.shape), jnp.float32)


def at(flow, point):
    """A flow `(H, W, 2)` at the pixel nearest to a point."""
    height, width = flow.shape[:2]
    return flow[min(int(point[1] * height), height - 1), min(int(point[0] * width), width - 1)]


def test_equal_landmarks_leave_the_image(landmarks):
    flow = thin_plate_flow(landmarks[None], landmarks[None, None], 24, 32)
    assert flow.shape == (1, 1, 24, 32, 2)
    np.testing.assert_allclose(flow, 0, atol=1e-4)


def test_the_flow_at_a_landmark_leads_to_the_source_landmark(landmarks):
    sources = landmarks + jnp.array([[0.03, -0.02]])
    curved = landmarks.at[:, 0].add(0.02 * jnp.sin(6 * landmarks[:, 1]))
    flow = np.asarray(thin_plate_flow(landmarks[None], jnp.stack([sources, curved])[None], 96, 80, smoothing=1e-5))[0]
    for i, point in enumerate(np.asarray(landmarks)):
        np.testing.assert_allclose(at(flow[0], point), (0.03, -0.02), atol=4e-3)
        np.testing.assert_allclose(at(flow[1], point), np.asarray(curved - landmarks)[i], atol=4e-3)


def test_the_border_moves_less(landmarks):
    flow = np.asarray(thin_plate_flow(landmarks[None], landmarks[None, None] + 0.05, 64, 64))[0, 0]
    assert np.abs(flow[0, 0]).max() < 0.7 * np.abs(flow[32, 32]).max()


def test_smoothing_keeps_landmarks_that_coincide_from_folding(landmarks):
    target = landmarks.at[1].set(landmarks[0] + 1e-4)
    sources = target.at[0, 0].add(0.02).at[1, 0].add(-0.02)  # the two cross
    flow = thin_plate_flow(target[None], sources[None, None], 48, 48)[0, 0]
    places = np.asarray(flow)[..., 0] + (np.arange(48) + 0.5)[None] / 48
    assert np.isfinite(places).all()
    assert np.diff(places, axis=1).min() > 0, "the warp folds"


def test_a_blob_is_moved_to_its_landmark(landmarks):
    y, x = np.mgrid[:40, :40] / 40
    here, there = np.asarray(landmarks[7]), np.asarray(landmarks[7]) + (0.1, 0.0)
    blob = np.exp(-((x - here[0]) ** 2 + (y - here[1]) ** 2) / 0.002)[..., None].repeat(3, -1)
    flow = thin_plate_flow(landmarks[None] + jnp.array([[[0.1, 0.0]]]), landmarks[None, None], 40, 40)
    moved = np.asarray(warp_to_landmarks(jnp.asarray(blob, jnp.float32)[None, None], flow))[0, 0, ..., 0]
    row, column = np.unravel_index(moved.argmax(), moved.shape)
    np.testing.assert_allclose((column / 40, row / 40), there, atol=0.04)


def test_differentiable_in_both_landmark_sets(landmarks):
    def energy(target, sources):
        return jnp.sum(thin_plate_flow(target[None], sources[None, None], 16, 12) ** 2)

    gradients = jax.jit(jax.grad(energy, (0, 1)))(landmarks, landmarks + 0.02 * jnp.cos(9 * landmarks))
    for gradient in gradients:
        assert gradient.shape == landmarks.shape
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


def test_blended_warps_are_weighted_sums_of_warps():
    rng = np.random.default_rng(5)
    images = jnp.asarray(rng.uniform(-1, 1, (2, 4, 12, 10, 3)), jnp.float32)
    flow = jnp.asarray(rng.uniform(-0.2, 0.2, (2, 4, 12, 10, 2)), jnp.float32)
    weights = [jnp.asarray(rng.uniform(0, 1, (2, 4)), jnp.float32) for _ in range(2)]
    warped = np.asarray(warp_to_landmarks(images, flow))
    for found, each in zip(blended_warps(images, flow, *weights), weights):
        expected = (np.asarray(each)[:, :, None, None, None] * warped).sum(1)
        np.testing.assert_allclose(found, expected, atol=2e-5)
