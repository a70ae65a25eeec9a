import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax.ops.norms import safe_norm


def test_value_and_gradient():
    x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(safe_norm(x), [5, 0])
    np.testing.assert_allclose(jax.grad(lambda x: safe_norm(x).sum())(x), [[0.6, 0.8], [0, 0]], rtol=1e-6)


def test_over_two_axes():
    x = jnp.arange(12.0).reshape(2, 3, 2)
    assert safe_norm(x, (-2, -1), keepdims=True).shape == (2, 1, 1)
    np.testing.assert_allclose(safe_norm(x, (-2, -1))[0], np.sqrt(55), rtol=1e-6)
