import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_editors import faces

from lgan_jax.losses.adversarial import gradient_penalty
from lgan_jax.methods.dftnet.networks import DFTNetGenerator, Discriminator, GANimation, _coloured


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


@pytest.fixture(scope="module", params=[DFTNetGenerator, GANimation])
def made(request, batch):
    module = request.param(3, 1)
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
    made = _coloured(image, jnp.zeros_like(image))
    np.testing.assert_allclose(made, [[[[0.98, -0.98, 0.49]]]], rtol=1e-5)
