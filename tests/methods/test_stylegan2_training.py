"""Training StyleGAN2Phase: what each step changes, and the regularisations against what they are by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_methods import abstract_step, figures_of, largest_change, on_two_devices, started
from small_stylegan2 import small_stylegan2

from lgan_jax import optimizers
from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import INNER49
from lgan_jax.losses.adversarial import r1_penalty
from lgan_jax.methods.projection.losses import path_lengths
from lgan_jax.methods.projection.stylegan2 import PATH, R1, Settings, StyleGAN2Phase


def pictures(count):
    return {"image": np.random.default_rng(0).uniform(-1, 1, (count, 8, 8, 3)).astype(np.float32)}


@pytest.fixture(scope="module")
def trained():
    """States and metrics: at first, after a step with both regularisations, and after one without."""
    method, batch = small_stylegan2(), pictures(4)
    states, metrics = [started(method, batch)], []
    for turn in ((R1, PATH), ()):
        step = jax.vmap(functools.partial(method.train_step, variant=turn), in_axes=(None, 0, None), axis_name="data")
        after, figures = jax.jit(step)(states[-1], {"image": batch["image"][None]}, jax.random.key(len(states)))
        states.append(jax.tree.map(lambda x: x[0], after))
        metrics.append({name: float(x[0]) for name, x in figures.items()})
    return method, states, metrics


def test_both_networks_learn_and_the_average_follows(trained):
    _, states, metrics = trained
    first, second, third = states
    for name in ("generator", "discriminator"):
        assert max(largest_change(first.params[name], second.params[name])) > 1e-4
        assert max(largest_change(second.params[name], third.params[name])) > 1e-4
    assert int(third.step) == 2
    assert set(metrics[0]) == {"generator", "discriminator", "real", "generated", "gradient_penalty", "path"}
    assert metrics[0]["gradient_penalty"] > 0
    assert metrics[0]["path"] > 0
    assert float(third.variables["path_mean"]) == float(second.variables["path_mean"]) > 0
    kept = 0.5 ** (4 / (4 * 0.05))  # half is forgotten after a twentieth of the pictures seen
    for made, old, new in zip(
        *map(jax.tree.leaves, (third.ema["generator"], second.ema["generator"], third.params["generator"]))
    ):
        np.testing.assert_allclose(made, kept * old + (1 - kept) * new, atol=1e-5)
    for x, y in zip(*map(jax.tree.leaves, (second.ema["generator"], second.params["generator"]))):
        np.testing.assert_allclose(x, y, atol=1e-6)
    before, after = (state.variables["buffers"]["synthesis"] for state in (first, third))
    assert max(largest_change(before, after)) == 0
    assert float(jnp.abs(third.variables["buffers"]["mapping"]["w_avg"]).max()) > 0


def test_penalties_stay_in_the_metrics_between_their_steps(trained):
    _, _, metrics = trained
    assert {name: metrics[1][name] for name in ("gradient_penalty", "path")} == {
        name: metrics[0][name] for name in ("gradient_penalty", "path")
    }
    assert metrics[1]["generator"] != metrics[0]["generator"]


def test_the_relativistic_loss_compares_and_regularises_both_kinds():
    """softplus(x) − softplus(−x) = x, so the two losses differ by the mean difference of logits. R2 is added to R1."""
    still = {"optimizer": optimizers.Adam(learning_rate=1e-12)}
    figures = {}
    for loss in ("relativistic", "non_saturating"):
        method = small_stylegan2(loss=loss, **still)
        state = started(method, pictures(4))
        found = figures_of(method, state, pictures(4), jax.random.key(1), variant=(R1,))
        figures[loss] = {name: float(x) for name, x in found.items()}
    one, other = figures["relativistic"], figures["non_saturating"]
    assert one["generator"] - one["discriminator"] == pytest.approx(one["real"] - one["generated"], abs=1e-5)
    assert abs(other["generator"] - other["discriminator"] - (other["real"] - other["generated"])) > 0.1
    assert one["real"] == pytest.approx(other["real"], abs=1e-5)
    assert one["gradient_penalty"] > 1.2 * other["gradient_penalty"]


def test_without_noise_its_strength_stays_0(trained):
    """The same step with noise, `trained`'s first, changes the strengths."""
    _, states, _ = trained
    strengths = lambda params: [x for path, x in jax.tree.leaves_with_path(params) if "strength" in str(path)]  # noqa: E731
    assert all(float(x) != 0 for x in strengths(states[1].params["generator"]))
    method, batch = small_stylegan2(use_noise=False), pictures(4)
    step = jax.vmap(functools.partial(method.train_step, variant=(R1, PATH)), in_axes=(None, 0, None), axis_name="data")
    generator = jax.jit(lambda *given: step(*given)[0].params["generator"])  # the other's gradients are not compiled
    after = generator(states[0], {"image": batch["image"][None]}, jax.random.key(1))
    after = jax.tree.map(lambda x: x[0], after)
    assert [float(x) for x in strengths(after)] == [0.0] * 3
    assert max(largest_change(states[0].params["generator"], after)) > 1e-4


def test_a_step_of_two_devices_is_that_of_one(trained):
    """With R1 and path lengths: every figure, and the running ones that it leaves in the state."""

    def compared(state, metrics):
        return metrics, state.variables["path_mean"], state.variables["buffers"]["mapping"]["w_avg"]

    method, states, metrics = trained
    figures, paths, average = on_two_devices(
        method, states[0], pictures(4), jax.random.key(1), compared, variant=(R1, PATH)
    )
    for name, value in metrics[0].items():
        np.testing.assert_allclose(figures[name], np.repeat(value, 2), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(paths, np.repeat(states[1].variables["path_mean"], 2), rtol=1e-4)
    np.testing.assert_allclose(average, np.stack(2 * [states[1].variables["buffers"]["mapping"]["w_avg"]]), atol=1e-6)


def test_when_regularisations_are_due():
    method = small_stylegan2(d_reg_interval=4, g_reg_interval=3)
    assert [method.step_variant(step) for step in (0, 1, 3, 4, 12)] == [(R1, PATH), (), (PATH,), (R1,), (R1, PATH)]
    assert small_stylegan2(d_reg_interval=0, g_reg_interval=0).step_variant(0) == ()


def test_pictures_and_figures_of_held_out_faces(trained):
    method, states, _ = trained
    batch = pictures(3)
    figures = jax.jit(method.eval_step)(states[-1], batch)
    assert set(figures) == {"real", "generated"}
    sheet = np.asarray(jax.jit(method.sample_images)(states[-1], batch)["faces"])
    assert sheet.shape == (3, 3, 8, 8, 3)
    np.testing.assert_array_equal(sheet[:, 0], batch["image"])
    assert np.abs(sheet[:, 1] - sheet[:, 2]).max() > 0


def test_styles_are_mixed(trained):
    """Of every example, the first places have one latent's style, and the others the other's."""
    method, states, _ = trained
    keys = jax.vmap(jax.random.key)(jnp.arange(200))
    styles, noise, rest = method.mixed_styles(method.variables(states[-1]), keys, 192)
    places = method.generator.places
    assert styles.shape == (200, places, 6)
    changes = np.asarray(jnp.abs(jnp.diff(styles, axis=1)).max(-1) > 0).sum(1)
    assert set(changes) <= {0, 1}
    assert 0.85 < changes.mean() < 0.95
    assert [x.shape for x in noise] == [(200, 4, 4), (200, 8, 8), (200, 8, 8)]
    assert rest.shape == (200, 192)
    assert float(jnp.std(rest)) == pytest.approx(1, abs=0.05)


def test_without_mixing_and_noise(trained):
    """Every place has the first latent's style, and maps are given nothing."""
    _, states, _ = trained
    method = small_stylegan2(style_mixing_prob=0.0, use_noise=False)
    variables = method.variables(states[-1])
    styles, noise, rest = method.mixed_styles(variables, jax.vmap(jax.random.key)(jnp.arange(5)))
    assert styles.shape == (5, method.generator.places, 6)
    assert not jnp.diff(styles, axis=1).any()
    assert jnp.abs(jnp.diff(styles, axis=0)).max() > 0
    assert [x.any() for x in noise] == [False] * 3
    assert method.generator.apply(variables, styles, noise, method="draw").shape == (5, 8, 8, 3)
    assert rest.shape == (5, 0)


def test_half_of_the_pictures_are_mirrored():
    image, keys = jnp.asarray(pictures(30)["image"]), jax.vmap(jax.random.key)(jnp.arange(30))
    made = small_stylegan2().mirrored(image, keys)
    as_they_were = np.asarray((made == image).all((1, 2, 3)))
    assert 5 < as_they_were.sum() < 25
    np.testing.assert_array_equal(made[~as_they_were], image[~as_they_were][:, :, ::-1])
    np.testing.assert_array_equal(small_stylegan2(mirror=False).mirrored(image, keys), image)


def test_bfloat16_in_the_highest_resolutions():
    state, metrics = abstract_step(small_stylegan2(jnp.bfloat16, num_fp16_res=1), pictures(2))
    assert all(x.dtype in (jnp.float32, jnp.int32) for x in jax.tree.leaves((state, metrics)))
    assert small_stylegan2(jnp.bfloat16, num_fp16_res=1).generator.reduced == 1
    assert small_stylegan2(jnp.float32, num_fp16_res=1).generator.reduced == 0


def test_regularisations_by_hand():
    """D(x) = Σ a·x² has the gradient 2a·x; a generator that is linear has one path length for all directions' norms."""
    image = jnp.asarray(pictures(5)["image"])
    expected = np.sum((2 * 0.7 * np.asarray(image)) ** 2, (1, 2, 3)).mean()
    np.testing.assert_allclose(r1_penalty(lambda x: 0.7 * jnp.sum(x**2, (1, 2, 3)), image), expected, rtol=1e-5)
    rng = np.random.default_rng(1)
    matrix, direction = rng.normal(size=(7, 6 * 6 * 3)), rng.normal(size=(2, 6, 6, 3)).astype(np.float32)
    lengths = path_lengths(
        lambda x: (x.mean(1) @ jnp.asarray(matrix, jnp.float32)).reshape(-1, 6, 6, 3),
        jnp.zeros((2, 4, 7)),
        jnp.asarray(direction),
    )
    slopes = (direction.reshape(2, -1) / 6) @ matrix.T / 4  # of each of the four places
    np.testing.assert_allclose(lengths, np.sqrt((slopes**2).sum(1)), rtol=1e-4)  # times √4, over √4


def test_what_cannot_be_trained_is_said():
    for changes, message in (
        ({"style_mixing_prob": 1.5}, r"style_mixing_prob is 1\.5; it must be between 0 and 1"),
        ({"r1_gamma": -1.0}, r"r1_gamma is -1\.0; it must be at least 0"),
        ({"mapping_layers": 0}, "mapping_layers is 0; it must be at least 1"),
        ({"mbstd_group_size": 0}, "mbstd_group_size is 0; it must be at least 1"),
        (
            {"batch_size": 6, "mbstd_group_size": 4},
            "batch_size is 6; it must be a multiple of mbstd_group_size, which is 4",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            small_stylegan2(**changes)
    with pytest.raises(ValueError, match="StyleGAN2 generates images of 8, 16, 32 … pixels, not of 24"):
        StyleGAN2Phase(Settings(), FaceInfo(INNER49, 24, ("somebody",)), jnp.float32, {})
