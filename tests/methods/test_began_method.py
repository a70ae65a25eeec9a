import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_faces import FACES, pictures, small_began
from small_methods import abstract_step, compiled, largest_change, on_two_devices, started

from lgan_jax.core import example_keys
from lgan_jax.methods.began import losses
from lgan_jax.methods.began.began import BEGANPhase, uniform


@pytest.fixture(scope="module")
def trained():
    """A phase, its compiled step, its first state with some k, and the states and metrics of its steps."""
    method, batch = small_began(lambda_k=0.3), pictures(6)
    step, first = compiled(method), started(method, batch).with_variables(k=jnp.float32(0.25))
    state, history = first, []
    for i in range(3):
        state, metrics = step(state, batch, jax.random.key(i))
        history.append((state, metrics))
    return method, step, first, history


def test_losses_by_hand():
    v, decoded = jnp.array([[0.0, 2.0, -1.0]]), jnp.array([[1.0, 0.0, -1.0]])
    assert float(losses.reconstruction("squared", v, decoded)) == pytest.approx(5 / 3)
    assert float(losses.reconstruction("absolute", v, decoded)) == pytest.approx(1)
    np.testing.assert_allclose(jax.grad(losses.reconstruction, 2)("squared", v, decoded), [[2 / 3, -4 / 3, 0]])
    real, made = jnp.float32(0.8), jnp.float32(0.1)
    assert float(losses.balance(jnp.float32(0.2), real, made, 0.5, 0.1)) == pytest.approx(0.23)
    assert float(losses.balance(jnp.float32(0.2), real, made, 0.5, 9.0)) == 1
    assert float(losses.balance(jnp.float32(0.2), made, real, 0.5, 9.0)) == 0
    assert float(losses.convergence(real, made, 0.5)) == pytest.approx(1.1)
    image = jnp.zeros((2, 2, 2, 3)).at[1].set(0.5)
    np.testing.assert_allclose(losses.inversion(image, jnp.zeros_like(image) - 0.25), [0.25, 0.75])
    points = jnp.zeros((2, 3, 2)).at[0, 1, 1].set(0.6)
    np.testing.assert_allclose(losses.landmarks(points, jnp.zeros_like(points)), [0.36 / 6, 0], rtol=1e-6)


def test_one_backward_pass_gives_both_gradients_of_equation_2(trained):
    """Adam's first moments after a step are a tenth of the gradients: of L(x) − k·L(G(z)) for D, L(G(z)) for G."""
    method, step, first, _ = trained
    batch, key = pictures(6), jax.random.key(5)
    image = jnp.asarray(batch["image"])

    def separate(image):
        z = uniform(example_keys(key, len(image)))

        def error(d, v):
            return losses.reconstruction("squared", v, method.autoencoder.apply({"params": d}, v))

        def made(g):
            return method.generator.apply({"params": g}, z)

        d, g = first.params["autoencoder"], first.params["generator"]
        fake = made(g)
        of_d = jax.grad(lambda d: error(d, image) - first.variables["k"] * error(d, fake))(d)
        return of_d, jax.grad(lambda g: error(d, made(g)))(g), error(d, image), error(d, fake)

    of_d, of_g, real, fake = jax.tree.map(lambda x: x[0], jax.jit(jax.vmap(separate, axis_name="data"))(image[None]))
    after, metrics = step(first, batch, key)
    for name, expected in (("autoencoder", of_d), ("generator", of_g)):
        states = jax.tree.leaves(after.optimizers[name], is_leaf=lambda x: hasattr(x, "mu"))
        moments = next(each.mu for each in states if hasattr(each, "mu"))
        for ours, theirs in zip(jax.tree.leaves(moments), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(ours / 0.1, theirs, atol=2e-3 * float(jnp.abs(theirs).max()) + 1e-7)
    assert float(metrics["real"]) == pytest.approx(float(real), rel=1e-4)
    assert float(metrics["generated"]) == pytest.approx(float(fake), rel=1e-4)


def test_k_and_the_convergence_measure_are_of_the_step(trained):
    method, _, first, history = trained
    k, smoothed = float(first.variables["k"]), 0.0
    for i, (state, metrics) in enumerate(history):
        real, made = float(metrics["real"]), float(metrics["generated"])
        k = min(max(k + 0.3 * (0.5 * real - made), 0), 1)
        measure = real + abs(0.5 * real - made)
        kept = min(0.99, (1 + i) / (10 + i))
        smoothed = kept * smoothed + (1 - kept) * measure
        assert float(state.variables["k"]) == float(metrics["k"]) == pytest.approx(k, abs=1e-5)
        assert float(metrics["convergence"]) == pytest.approx(measure, rel=1e-5)
        assert float(state.variables["convergence"]) == pytest.approx(smoothed, rel=1e-5)
        assert set(metrics) == {"real", "generated", "k", "convergence", "variation"}
    assert method.settings.gamma == 0.5


def test_a_step_reaches_every_parameter_and_the_average(trained):
    _, _, first, history = trained
    after = history[0][0]
    for name in ("autoencoder", "generator"):
        assert min(largest_change(first.params[name], after.params[name])) > 0
    start, now = jax.device_get((first.ema["generator"], after.params["generator"]))
    expected = jax.tree.map(lambda a, b: 0.1 * a + 0.9 * b, start, now)
    assert max(largest_change(expected, after.ema["generator"])) < 1e-5
    assert int(history[-1][0].step) == 3


def test_one_device_does_what_two_do(trained):
    method, step, first, _ = trained
    batch, key = pictures(6), jax.random.key(3)
    one, expected = step(first, batch, key)
    two, metrics = on_two_devices(method, first, batch, key)
    for name in ("real", "generated", "k", "convergence"):
        np.testing.assert_allclose(metrics[name], expected[name], rtol=2e-3, atol=1e-5)
    for device in range(2):
        assert max(largest_change(one.params, jax.tree.map(lambda x, i=device: x[i], two.params))) < 2e-3


def test_faces_of_the_averaged_generator_are_evaluated_and_shown(trained):
    method, _, _, history = trained
    state, batch = history[-1][0], pictures(5)
    metrics = jax.jit(method.eval_step)(state, batch)
    assert set(metrics) == {"real", "generated", "convergence", "variation", "risen"}
    made = np.asarray(method.generate(method.networks(state), uniform(jax.vmap(jax.random.key)(jnp.arange(5)))))
    assert float(metrics["variation"]) == pytest.approx(made.std(0).mean() / batch["image"].std(0).mean(), rel=1e-3)
    sheet = np.asarray(jax.jit(method.sample_images)(state, batch)["faces"])
    assert sheet.shape == (5, 4, 16, 16, 3)
    np.testing.assert_array_equal(sheet[:, 0], batch["image"])
    np.testing.assert_allclose(sheet[:, 2], made, atol=1e-4)


def test_mode_collapse_and_divergence_are_noticed(trained):
    """By the figures of `eval_step`: of a generator that makes one face, and of a measure that has risen."""
    method, _, _, history = trained
    state, batch = history[-1][0], pictures(5)
    evaluate = jax.jit(method.eval_step)
    good = {
        name: float(x)
        for name, x in evaluate(state.with_variables(lowest=state.variables["convergence"]), batch).items()
    }
    assert method.warnings({**good, "variation": 0.9}) == ()
    collapsed = {
        **state.ema["generator"],
        "maps": {**state.ema["generator"]["maps"], "kernel": 0 * state.ema["generator"]["maps"]["kernel"]},
    }
    spoilt = state.replace(ema={"generator": collapsed}).with_variables(lowest=state.variables["convergence"] / 2)
    figures = {name: float(x) for name, x in evaluate(spoilt, batch).items()}
    assert figures["variation"] < 1e-3
    collapse, divergence = method.warnings(figures)
    assert collapse.startswith(
        "mode collapse, or training is too short: the standard deviation of generated faces is 0.00 times that of real"
    )
    assert divergence.startswith(
        "divergence: the convergence measure is 2.0 times its minimum; lower the learning rate"
    )


def test_bfloat16_at_another_size():
    state, metrics = abstract_step(
        small_began(dataclasses.replace(FACES, size=32), jnp.bfloat16, norm="absolute"), pictures(2, 32)
    )
    assert all(x.dtype in (jnp.float32, jnp.int32) for x in jax.tree.leaves((state, metrics)))


def test_what_cannot_be_trained_is_said():
    for size in (8, 24, 96):
        with pytest.raises(ValueError, match=f"images are {size} pixels wide; BEGAN supports 8 times a power of two"):
            small_began(dataclasses.replace(FACES, size=size))
    with pytest.raises(ValueError, match=r"gamma is 0\.0; it must be above 0"):
        BEGANPhase.Settings(gamma=0.0)
    with pytest.raises(ValueError, match="width is 0"):
        BEGANPhase.Settings(width=0)
