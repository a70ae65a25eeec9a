"""The networks of Li et al.: the sizes of Tables 1 to 3 to the letter, and Eq. 1 to 3 by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.methods.expression.networks import (
    Decoder,
    Discriminator,
    Generator,
    HeatmapConv,
    Initialise,
    MigrationUnit,
    dropout,
    label_maps,
)


def layers(module, *shapes, keys=None):
    """Output shapes of a module's layers by name, without the batch, and of what it returns as ""; its parameters."""
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]

    def run(*inputs):
        more = () if keys is None else (keys,)
        _, state = module.init_with_output(
            jax.random.key(0), *inputs, *more, mutable=["params", "batch_stats", "intermediates"],
            capture_intermediates=True,
        )  # fmt: skip
        return state["intermediates"], state["params"]

    found, params = jax.eval_shape(run, *inputs)
    shapes = {
        ".".join(part.key for part in path if hasattr(part, "key")).replace("__call__", "").strip("."): leaf.shape[1:]
        for path, leaf in jax.tree_util.tree_flatten_with_path(found)[0]
    }
    return shapes, params


def kernels(params):
    return {name: layer["kernel"].shape for name, layer in params.items() if "kernel" in layer}


class Training(Decoder):
    """The decoder as it trains, whose norms need no axis to be initialised."""

    def __call__(self, x):
        return super().__call__(x, True)


class Started(Initialise):
    """The initialise network as it trains."""

    def __call__(self, shown):
        return super().__call__(shown, (128, 128), True)


@pytest.mark.parametrize(("shown", "channels"), [((2, 128, 128, 3), 3), ((2, 68, 2), 68)])
def test_the_initialise_network_makes_32_pixels(shown, channels):
    shapes, params = layers(Started(64), shown)
    assert [shapes[f"conv_{i}"] for i in range(3)] == [(128, 128, 64), (64, 64, 128), (32, 32, 256)]
    assert kernels(params) == {"conv_0": (7, 7, channels, 64), "conv_1": (3, 3, 64, 128), "conv_2": (3, 3, 128, 256)}


@pytest.mark.parametrize(("size", "sigma"), [(128, 2), (64, 1)])
def test_heatmaps_have_a_sigma_of_two_pixels_at_128(size, sigma):
    """A 1×1 kernel that takes the first of two landmarks gives its map."""
    landmarks = jnp.array([[[10.5 / size, 7.5 / size], [0.2, 0.8]]])
    maps = HeatmapConv(1, 1).apply(
        {"params": {"kernel": jnp.array([1.0, 0.0]).reshape(1, 1, 2, 1)}}, landmarks, (size, size)
    )
    assert float(maps[0, 7, 10, 0]) == pytest.approx(1)
    assert float(maps[0, 9, 13, 0]) == pytest.approx(np.exp(-0.5 * (4 + 9) / sigma**2), rel=1e-4)


def test_table_1():
    keys = jax.random.split(jax.random.key(0), 2)
    shapes, params = layers(MigrationUnit(0.5), (2, 32, 32, 256), (2, 32, 32, 256), keys=keys)
    convolutions = {f"{path}_conv_{i}" for path in ("face", "geometry") for i in (0, 1)}
    norms = {"face_norm_0", "face_norm_1", "geometry_norm_0"}
    assert set(params) == convolutions | norms
    assert all(shapes[name] == (32, 32, 256) for name in convolutions | norms)
    assert set(kernels(params).values()) == {(3, 3, 256, 256)}
    _, params = layers(MigrationUnit(0.5), (2, 32, 32, 256), (2, 32, 32, 512), keys=keys)
    assert kernels(params)["geometry_conv_0"] == (3, 3, 512, 256)


def test_table_2():
    shapes, params = layers(Training(64), (2, 32, 32, 264))
    table = {"up_1": (64, 64, 128), "norm_1": (64, 64, 128), "up_0": (128, 128, 64), "norm_0": (128, 128, 64)}
    assert {name: shapes[name] for name in table} == table
    assert shapes["colours"] == shapes[""] == (128, 128, 3)
    assert kernels(params) == {"up_1": (3, 3, 264, 128), "up_0": (3, 3, 128, 64), "colours": (7, 7, 64, 3)}


@pytest.mark.parametrize(("context", "channels"), [((2, 128, 128, 3), 3), ((2, 68, 2), 68)])
def test_table_3(context, channels):
    shapes, params = layers(Discriminator(64), *[(2, 128, 128, 3)] * 2, context)
    table = [(64, 64, 64), (32, 32, 128), (16, 16, 256), (15, 15, 512), (14, 14, 1)]
    assert [shapes[f"conv_{i}"] for i in range(5)] == table
    assert [shapes[f"norm_{i}"] for i in range(1, 5)] == table[1:]
    assert "norm_0" not in shapes
    assert shapes[""] == (14, 14, 1)
    assert {kernel[:2] for kernel in kernels(params).values()} == {(4, 4)}
    assert kernels(params)["context"] == (4, 4, channels, 64)


def random_weights(module, *inputs):
    """Variables with nothing at its initial 0 or 1."""
    rng = np.random.default_rng(0)
    variables = jax.eval_shape(module.init, jax.random.key(0), *inputs)

    def draw(p):
        if p.ndim == 1:  # scales and variances above 0
            return jnp.asarray(rng.uniform(0.5, 1.5, p.shape), jnp.float32)
        return jnp.asarray(rng.uniform(-2, 2, p.shape) * np.prod(p.shape[:-1]) ** -0.5, jnp.float32)

    return jax.tree.map(draw, variables)


def test_equations_1_to_3():
    """Eq. 2: the mask is the logistic of the geometry's path, which is the first half of what comes out of it."""
    face, geometry = jax.random.normal(jax.random.key(1), (2, 2, 5, 7, 4))
    unit = MigrationUnit(0.5)
    variables = random_weights(unit, face, geometry, None)
    after, shape = unit.apply(variables, face, geometry, None)
    assert shape.shape == (2, 5, 7, 8)
    np.testing.assert_array_equal(shape[..., 4:], after)
    open_wide = jax.tree.map(jnp.copy, variables)
    open_wide["params"]["geometry_conv_1"]["bias"] += 1e3  # a mask of 1 lets everything through
    everything, _ = unit.apply(open_wide, face, geometry, None)
    mask = 1 / (1 + np.exp(-np.asarray(shape[..., :4], np.float64)))
    np.testing.assert_allclose(after - face, mask * (everything - face), rtol=1e-3, atol=1e-5)
    shut = jax.tree.map(jnp.copy, variables)
    shut["params"]["geometry_conv_1"]["bias"] -= 1e3
    np.testing.assert_array_equal(unit.apply(shut, face, geometry, None)[0], face)


def test_dropout_is_each_examples_own_and_keeps_the_mean():
    face = jnp.ones((3, 6, 6, 5))
    unit = MigrationUnit(0.5)
    variables = random_weights(unit, face, face, None)

    @jax.jit
    def run(keys):
        how = {"in_axes": (0, None), "axis_name": "data"}
        apply = jax.vmap(lambda keys, x: unit.apply(variables, x, x, keys, mutable=["batch_stats"])[0][0], **how)
        return apply(keys[None], face)[0]

    keys = jax.random.split(jax.random.key(0), 3)
    first, again = run(keys), run(keys.at[2].set(jax.random.key(9)))
    assert float(jnp.abs(first[0] - first[1]).max()) > 0.01
    assert float(jnp.abs(first[2] - again[2]).max()) > 0.01
    kept = dropout(jnp.ones((1, 40, 60, 5)), 0.25, keys[:1])
    assert set(np.unique(kept).round(5)) == {0, np.float32(4 / 3).round(5)}
    assert float(kept.mean()) == pytest.approx(1, abs=0.03)


def test_label_maps():
    """Fig. 4: one map an expression, -1 everywhere but on the label's own."""
    maps = np.asarray(label_maps(jnp.array([2, 7]), 3, 5))
    assert maps.shape == (2, 3, 5, len(EXPRESSIONS))
    assert (maps[0, ..., 2] == 1).all()
    assert (maps[1, ..., 7] == 1).all()
    assert maps.sum() == 2 * 3 * 5 * (1 - 7)


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(1)
    image = jnp.asarray(rng.uniform(-1, 1, (3, 16, 24, 3)), jnp.float32)
    return image, jnp.asarray(rng.uniform(0, 1, (3, 5, 2)), jnp.float32), jnp.array([0, 3, 7])


@pytest.mark.parametrize("options", [{}, {"initialise": False}, {"labels": False}])
def test_what_the_generator_is_told_matters(options, inputs):
    image, landmarks, expression = inputs
    module = Generator(2, 1, **options)
    variables = random_weights(module, *inputs)
    apply = jax.jit(module.apply)
    made = apply(variables, *inputs)
    assert made.shape == image.shape
    assert float(jnp.abs(made).max()) <= 1
    others = {
        "image": apply(variables, image[::-1], landmarks, expression),
        "landmarks": apply(variables, image, landmarks[::-1], expression),
        "expression": apply(variables, image, landmarks, expression[::-1]),
    }
    changed = {name: float(jnp.abs(other - made).max()) > 1e-6 for name, other in others.items()}
    assert changed == {"image": True, "landmarks": True, "expression": options != {"labels": False}}
