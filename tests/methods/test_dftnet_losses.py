import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.dftnet import losses


def test_condition_worked_by_hand():
    """Squares 0.25, 0, 1, 0.04 of two examples with two units."""
    estimated, wanted = jnp.array([[0.5, 0.3], [1.0, 0.2]]), jnp.array([[0.0, 0.3], [0.0, 0.4]])
    assert float(losses.condition(estimated, wanted)) == pytest.approx(1.29 / 4)
    gradient = jax.grad(losses.condition)(estimated, wanted)
    np.testing.assert_allclose(gradient, [[0.25, 0], [0.5, -0.1]], atol=1e-7)


def test_cycle_worked_by_hand():
    image, returned = jnp.full((2, 3, 4, 3), 0.5), jnp.full((2, 3, 4, 3), 0.5).at[0, 0, 0, 0].add(-0.72)
    assert float(losses.cycle(image, returned)) == pytest.approx(0.01)
    gradient = jax.grad(losses.cycle, 1)(image, returned)
    assert float(gradient[0, 0, 0, 0]) == pytest.approx(-1 / 72)


def test_pair_worked_by_hand():
    """Of two pixels one should change, by 0.5 in each colour: it counts 1 + 20 · 0.5."""
    source = jnp.zeros((1, 1, 2, 3))
    target, made = source.at[0, 0, 0].set(0.5), source.at[0, 0, 0].set(0.2).at[0, 0, 1, 0].set(0.1)
    assert float(losses.pair(made, source, target, 20.0)) == pytest.approx((11 * 0.3 * 3 + 0.1) / 6)
    assert float(losses.pair(made, source, target, 0.0)) == pytest.approx((0.3 * 3 + 0.1) / 6)
    gradient = jax.grad(losses.pair)(made, source, target, 20.0)
    np.testing.assert_allclose(gradient[0, 0, 0], [-11 / 6] * 3, rtol=1e-6)


def test_total_variation_worked_by_hand():
    """Two pictures of 2×4; in the first, one pixel comes from one column (a quarter) farther and half a row lower.

    It differs from one pixel below and two beside it, by 1 and 0.5 pixels: 3·(1 + 0.25) over two pictures.
    """
    flow = jnp.full((2, 2, 4, 2), 0.1).at[0, 0, 1].add(jnp.array([1 / 4, 0.5 / 2]))
    assert float(losses.total_variation(flow)) == pytest.approx(3 * 1.25 / 2, rel=1e-5)
    gradient = jax.grad(losses.total_variation)(flow)
    np.testing.assert_allclose(gradient[0, 0, 1], [3 * 1.0 * 4, 3 * 0.5 * 2], rtol=1e-5)
    np.testing.assert_allclose(gradient[0, 1, 1], [-4, -1], rtol=1e-5)


def test_attention_worked_by_hand():
    attention = jnp.zeros((2, 1, 2, 1)).at[0, 0, 1, 0].set(0.6)
    assert float(losses.attention(attention)) == pytest.approx(-0.15)
    assert float(jax.grad(losses.attention)(attention + 0.1)[1, 0, 0, 0]) == pytest.approx(-0.25)


def test_ganimations_losses_of_the_attention_worked_by_hand():
    """Of two masks of 2×3, a corner differs by 0.6 from two neighbors; of the edits back, one by 0.2 from three."""
    attention = jnp.zeros((2, 2, 3, 1)).at[0, 0, 0, 0].set(0.6)
    returned = jnp.zeros((2, 2, 3, 1)).at[1, 1, 1, 0].set(0.2)
    assert float(losses.ganimation_attention(attention, returned)) == pytest.approx(0.8 / 12)
    assert float(losses.smoothness(attention, returned)) == pytest.approx((2 * 0.6 + 3 * 0.2) / 2)
    gradient = jax.grad(losses.smoothness, 1)(attention, returned + jnp.arange(6.0).reshape(1, 2, 3, 1))
    np.testing.assert_allclose(gradient[0, :, :, 0], [[-1, -0.5, 0], [0, 0.5, 1]], atol=1e-6)


def test_edges_worked_by_hand():
    """One pixel is off by 0.6 in one of three colors: it differs from one neighbor below and from two beside it."""
    target = jnp.zeros((1, 2, 3, 3))
    generated = target.at[0, 0, 1, 0].set(0.6)
    assert float(losses.edges(generated, target)) == pytest.approx(0.6 / 9 + 2 * 0.6 / 12)
    assert float(losses.edges(generated + 0.3, target + 0.1)) == pytest.approx(0.6 / 9 + 2 * 0.6 / 12, rel=1e-5)
    gradient = jax.grad(losses.edges)(generated, target)
    assert float(gradient[0, 0, 1, 0]) == pytest.approx(1 / 9 + 2 / 12)


def test_landmarks_worked_by_hand():
    """A flow of (0.03, 0.04) everywhere; the points of one of two faces moved so, those of the other did not.

    Points of the outline are anywhere.
    """
    target = jnp.broadcast_to(jnp.linspace(0.2, 0.8, 68)[None, :, None], (2, 68, 2))
    source = target.at[0].add(jnp.array([[0.03, 0.04]])).at[:, :17].set(0)
    flow = jnp.broadcast_to(jnp.array([0.03, 0.04]).reshape(1, 1, 1, 2), (2, 6, 8, 2))
    assert float(losses.landmarks(flow, source, target, IBUG68)) == pytest.approx(0.05 / 2, rel=1e-4)
    gradient = jax.grad(losses.landmarks)(flow, source, target, IBUG68)
    np.testing.assert_allclose(gradient[1].sum((0, 1)), [0.6 / 2, 0.8 / 2], rtol=1e-3)
