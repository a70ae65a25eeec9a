import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.nn.vgg import VGG, VGG16, VGG19, features


def shape_of(module, *shape):
    made, variables = jax.eval_shape(
        lambda x: module.init_with_output(jax.random.key(0), x), jax.ShapeDtypeStruct(shape, jnp.float32)
    )
    return made.shape, variables


@pytest.mark.parametrize(("blocks", "count"), [(VGG16, 13), (VGG19, 16)])
def test_layers_of_the_published_networks(blocks, count):
    shape, variables = shape_of(VGG(blocks), 1, 64, 96, 3)
    assert shape == (1, 2, 3, 512)
    assert len(variables["params"]) == count


def test_what_comes_after_the_last_layer_is_not_there():
    shape, variables = shape_of(VGG(VGG19, last="conv1_2"), 2, 24, 40, 3)
    assert shape == (2, 24, 40, 64)
    assert set(variables["params"]) == {"conv1_1", "conv1_2"}


def test_colours_are_those_of_imagenet():
    """A convolution that copies the colours: grey 0 of [-1, 1] is 0.5 of [0, 1]."""
    module = VGG((1,), 3)
    kernel = jnp.zeros((3, 3, 3, 3)).at[1, 1].set(jnp.eye(3))
    variables = {"params": {"conv1_1": {"kernel": kernel, "bias": jnp.zeros(3)}}}
    found = features(module, variables, "conv1_1")(jnp.zeros((1, 2, 4, 3)))
    expected = [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    np.testing.assert_allclose(found[0, 1, 2], expected, rtol=1e-5)


def test_an_unknown_layer_is_said():
    with pytest.raises(ValueError, match="unknown layer 'conv1_3'; the layers are conv1_1, relu1_1, conv1_2"):
        features(VGG(VGG16), {}, "conv1_3")
