import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.methods.expression import losses
from lgan_jax.methods.expression.phases import Weights

JUDGED = [(jnp.array([[2.0]]), jnp.array([[-1.0]])), (jnp.array([[0.0]]), jnp.array([[0.0]]))]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_equation_4_is_the_mean_of_both_discriminators():
    image = np.log(sigmoid(2)) + np.log(1 - sigmoid(-1))
    geometry = 2 * np.log(0.5)
    assert float(losses.gan_discriminator("minimax", JUDGED)) == pytest.approx(-(image + geometry) / 2, rel=1e-5)
    second_terms = (np.log(1 - sigmoid(-1)) + np.log(0.5)) / 2
    assert float(losses.gan_generator("minimax", JUDGED)) == pytest.approx(second_terms, rel=1e-5)
    assert float(losses.gan_generator("non_saturating", JUDGED)) == pytest.approx(
        -(np.log(sigmoid(-1)) + np.log(0.5)) / 2, rel=1e-5
    )


def test_equation_5_worked_by_hand():
    """One colour of one of six pixels is 0.9 off: 0.9 / (6 pixels · 3 colours)."""
    target = jnp.zeros((1, 2, 3, 3))
    made = target.at[0, 1, 2, 0].set(-0.9)
    assert float(losses.pixel(target, made)) == pytest.approx(0.05)
    assert float(jax.grad(losses.pixel, 1)(target, made)[0, 1, 2, 0]) == pytest.approx(-1 / 18)


def test_equation_6_worked_by_hand():
    """φ: the sum of the colours and its double, at each of 2 places: differences 0.5 and 1 at one of them."""

    def features(image):
        total = image.sum(-1)
        return jnp.stack([total, 2 * total], -1)

    target = jnp.zeros((1, 1, 2, 3))
    made = target.at[0, 0, 1, 1].set(0.5)
    assert float(losses.perceptual(features, target, made)) == pytest.approx(1.5 / 4)
    gradient = jax.grad(lambda *images: losses.perceptual(features, *images), (0, 1))(target, made)
    assert float(jnp.abs(gradient[0]).max()) == 0
    np.testing.assert_allclose(gradient[1][0, 0, 1], [0.75] * 3, rtol=1e-6)


def test_equation_7_with_the_papers_weights():
    terms = {name: jnp.float32(value) for name, value in (("adversarial", 0.2), ("perceptual", 0.3), ("pixel", 0.4))}
    assert dataclasses.asdict(Weights()) == {"adversarial": 5, "perceptual": 10, "pixel": 10, "features": 0}
    assert float(losses.total(Weights(), terms)) == pytest.approx(1 + 3 + 4)
    assert float(losses.total(Weights(), {"pixel": terms["pixel"]})) == pytest.approx(4)
