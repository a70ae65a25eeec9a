import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_editors import faces

from lgan_jax.losses.adversarial import gradient_penalty
from lgan_jax.methods.dftnet.networks import (
    PAPER,
    DFTNetGenerator,
    Discriminator,
    Form,
    GANimation,
    recolored,
    with_initial_heads,
)


def random_weights(module, *inputs):
    """Variables with nothing at its initial 0 or 1."""
    random = np.random.default_rng(0)
    variables = jax.eval_shape(module.init, jax.random.key(0), *inputs)

    def draw(p):
        return jnp.asarray(random.uniform(-2, 2, p.shape) * max(np.prod(p.shape[:-1]), 1) ** -0.5, jnp.float32)

    return jax.tree.map(draw, variables)


@pytest.fixture(scope="module")
def batch():
    return {name: jnp.asarray(x) for name, x in faces(4).items()}


@pytest.fixture(scope="module", params=[(DFTNetGenerator, Form()), (GANimation, Form()), (DFTNetGenerator, PAPER)])
def made(request, batch):
    network, form = request.param
    module = network(3, 1, form)
    variables = random_weights(module, batch["image"], batch["action_units"])
    return module, variables, jax.jit(module.apply)(variables, batch["image"], batch["action_units"])


def test_what_comes_out_is_in_its_range(made):
    _, _, edited = made
    assert [x.shape for x in edited] == [(4, 64, 64, n) for n in (3, 2, 1, 3, 3)]
    assert all(x.dtype == jnp.float32 for x in edited)
    for x in (edited.image, edited.texture, edited.aligned):
        assert float(jnp.abs(x).max()) <= 1
    assert 0 <= float(edited.attention.min()) < float(edited.attention.max()) <= 1


def test_equation_5(made, batch):
    _, _, (image, flow, attention, aligned, texture) = made
    np.testing.assert_allclose(image, (1 - attention) * texture + attention * aligned, atol=1e-6)
    if isinstance(made[0], GANimation):
        np.testing.assert_array_equal(aligned, batch["image"])
        assert float(jnp.abs(flow).max()) == 0
    else:
        assert float(jnp.abs(flow).min(axis=(0, 1, 2)).max()) > 0
        assert float(jnp.abs(aligned - batch["image"]).max()) > 0.1


def test_what_is_made_of_a_face_depends_on_its_action_units_and_not_on_other_faces(made, batch):
    module, variables, edited = made
    units = batch["action_units"].at[1].set(0)
    other = jax.jit(module.apply)(variables, batch["image"], units)
    change = jnp.abs(other.image - edited.image).mean((1, 2, 3))
    assert float(change[1]) > 1e-4  # the attention starts near 1
    assert float(change[jnp.array([0, 2, 3])].max()) == 0


def test_action_units_pass_the_norms_far_from_the_border():
    """Given as constant planes before an instance norm they would change nothing but the border's neighbourhood."""
    module = DFTNetGenerator(3, 0)
    image, units = jnp.zeros((1, 64, 64, 3)).at[:, 20:40, 20:40].set(0.5), jnp.zeros((1, 17))
    variables = random_weights(module, image, units)
    calm, acting = (module.apply(variables, image, u).texture for u in (units, units.at[0, 8].set(1)))
    assert float(jnp.abs(calm - acting)[0, 28:36, 28:36].max()) > 1e-2


@pytest.fixture(scope="module")
def judged(batch):
    module = Discriminator(2, 5)
    variables = random_weights(module, batch["image"])
    return variables, jax.jit(module.apply)


def test_the_discriminators_answers(judged, batch):
    variables, judge = judged
    critic, units = judge(variables, batch["image"])
    assert critic.shape == (4, 1, 1)
    assert units.shape == (4, 5)
    wide = jax.eval_shape(
        judge, random_weights(Discriminator(2, 5), jnp.zeros((1, 128, 192, 3))), jnp.zeros((1, 128, 192, 3))
    )
    assert [x.shape for x in wide] == [(1, 2, 3), (1, 5)]


def test_its_gradient_penalty_is_each_faces_own(judged, batch):
    variables, judge = judged
    real, other, share = batch["image"], batch["image"][::-1], jnp.array([0.1, 0.4, 0.6, 0.9])

    @jax.jit
    def penalty(real, other, share):
        return gradient_penalty(lambda x: judge(variables, x)[0], real, other, share)

    alone = [float(penalty(*(x[i : i + 1] for x in (real, other, share)))) for i in range(4)]
    assert np.ptp(alone) > 1e-6
    assert float(penalty(real, other, share)) == pytest.approx(np.mean(alone), rel=1e-4)


def test_colors_outside_the_range_make_no_nan():
    """arctanh(0.98 · 1.05) is none."""
    image = jnp.array([[[[1.05, -1.05, 0.5]]]])
    made = recolored(image, jnp.zeros_like(image))
    np.testing.assert_allclose(made, [[[[0.98, -0.98, 0.49]]]], rtol=1e-5)


def layer(image, kernel):
    """A convolution without bias, instance norm and ReLU, in numpy; `image` (H, W, C), padding as the papers'."""
    size = len(kernel)
    pad = (size - 1) // 2
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (0, 1))
    return np.einsum("yxcij,ijcf->yxf", windows, kernel)


def normalised(x):
    return (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + 1e-5)


def halved(image, kernel):
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), (0, 1))[::2, ::2]
    return np.einsum("yxcij,ijcf->yxf", windows, kernel)


def doubled(image, kernel):
    """Pixel o of the output is the sum over pixels i of the input of kernel[o + 1 - 2i]."""
    height, width = image.shape[:2]
    large = np.zeros((2 * height + 2, 2 * width + 2, kernel.shape[-1]))
    for row, column in np.ndindex(height, width):
        large[2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += np.einsum(
            "c,ijcf->ijf", image[row, column], kernel
        )
    return large[1:-1, 1:-1]


def test_ganimation_is_what_was_published():
    """C = tanh(conv), A = σ(conv), (1 − A)·C + A·source; planes beside the source, 4×4 transposed convolutions."""
    image, units = (
        np.random.default_rng(1).uniform(-1, 1, (1, 8, 12, 3)),
        np.random.default_rng(2).uniform(0, 1, (1, 5)),
    )
    module = GANimation(2, 0, PAPER)
    image, units = jnp.asarray(image, jnp.float32), jnp.asarray(units, jnp.float32)
    variables = random_weights(module, image, units)
    kernels = jax.tree.map(np.asarray, variables["params"])
    norms = {"scale": jnp.ones, "bias": jnp.zeros}  # of which the papers' networks have one each
    variables = jax.tree_util.tree_map_with_path(
        lambda path, x: norms[path[-1].key](x.shape) if path[-1].key in norms else x, variables
    )
    x = np.concatenate([image[0], np.broadcast_to(units[0], (8, 12, 5))], -1)
    encoder = kernels["encoder"]
    x = np.maximum(normalised(layer(x, encoder["stem"]["kernel"])), 0)
    for name in ("down_0", "down_1"):
        x = np.maximum(normalised(halved(x, encoder[name]["kernel"])), 0)
    for name in ("up_1", "up_0"):
        x = np.maximum(normalised(doubled(x, kernels["decoder"][name]["kernel"])), 0)
    attention = 1 / (1 + np.exp(-layer(x, kernels["attention"]["kernel"])))
    texture = np.tanh(layer(x, kernels["texture"]["kernel"]))
    edited = module.apply(variables, image, units)
    np.testing.assert_allclose(edited.attention[0], attention, atol=2e-4)
    np.testing.assert_allclose(edited.texture[0], texture, atol=2e-4)
    np.testing.assert_allclose(edited.image[0], (1 - attention) * texture + attention * image[0], atol=3e-4)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"texture": "plain"}, {"texture": np.tanh(0.06)}),
        ({"texture": "residual"}, {"texture": np.tanh(0.06 + np.arctanh(0.98 * 0.5))}),
        ({"attention_bias": 4.0}, {"attention": 1 / (1 + np.exp(-4.06))}),
        ({"head_scale": 0.1}, {"texture": np.tanh(0.006), "attention": 1 / (1 + np.exp(-0.006)), "flow": 0.5 * 0.006}),
        ({}, {"attention": 1 / (1 + np.exp(-0.06)), "flow": 0.5 * 0.06}),
    ],
)
def test_forms_of_the_heads_worked_by_hand(changed, expected):
    """Norms of zeros with a bias of 0.06 and heads that pass on the middle of one channel: their output is 0.06."""
    form = dataclasses.replace(PAPER, **changed)
    image, units = jnp.full((1, 8, 8, 3), 0.5), jnp.zeros((1, 17))
    module = DFTNetGenerator(1, 0, form)
    shapes = jax.eval_shape(module.init, jax.random.key(0), image, units)
    head = {name: jnp.zeros((7, 7, n, 3)).at[3, 3, 0].set(1) for name, n in (("flow_attention", 1), ("texture", 2))}
    constant = {"kernel": 0.0, "scale": 1.0, "bias": 0.06}

    def value(path, x):
        name = path[1].key
        return head[name] if name in head else jnp.full(x.shape, constant[path[-1].key])

    edited = module.apply(jax.tree_util.tree_map_with_path(value, shapes), image, units)
    for name, number in expected.items():
        np.testing.assert_allclose(getattr(edited, name), number, rtol=1e-4)


@pytest.mark.parametrize("texture", ["residual", "aligned"])
def test_the_texture_changes_the_source_or_the_warped_source(texture, batch):
    module = DFTNetGenerator(3, 0, Form(texture=texture))
    variables = random_weights(module, batch["image"], batch["action_units"])
    variables["params"]["texture"] = jax.tree.map(jnp.zeros_like, variables["params"]["texture"])
    edited = jax.jit(module.apply)(variables, batch["image"], batch["action_units"])
    start, other = (batch["image"], edited.aligned)[:: 1 if texture == "residual" else -1]
    np.testing.assert_allclose(edited.texture, 0.98 * start, atol=1e-5)
    assert float(jnp.abs(edited.texture - 0.98 * other).max()) > 0.1


def test_heads_of_zeros():
    """The flow's always; all of them where the texture is a change of the source."""
    heads = {
        name: {"kernel": jnp.ones((7, 7, 2, n))}
        for name, n in (("flow_attention", 3), ("attention", 1), ("texture", 3), ("encoder", 1))
    }
    plain, residual = (
        jax.tree.map(lambda x: np.asarray(x)[0, 0, 0].tolist(), with_initial_heads(heads, form))
        for form in (PAPER, Form())
    )
    assert {name: head["kernel"] for name, head in plain.items()} == {
        **{"flow_attention": [0, 0, 1], "attention": [1], "texture": [1, 1, 1], "encoder": [1]}
    }
    assert {name: head["kernel"] for name, head in residual.items()} == {
        **{"flow_attention": [0, 0, 0], "attention": [0], "texture": [0, 0, 0], "encoder": [1]}
    }


@pytest.mark.parametrize(("field", "value"), [("head_scale", 0.0), ("initial_std", -0.02)])
def test_a_form_that_cannot_be(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value:g}"):
        Form(**{field: value})
