import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_methods import (
    abstract_step,
    compiled,
    jitted,
    largest_change,
    one_of_each,
    single,
    small_detector,
    started,
)

from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import WFLW98, inter_ocular
from lgan_jax.methods.detector.phases import DetectorPhase


@pytest.fixture(scope="module")
def trained(info, batch):
    """A detector, its first state, and the states and metrics of the steps on one batch with the same key."""
    detector = small_detector(info)
    state, step, history = started(detector, batch), compiled(detector), []
    for _ in range(8):
        state, metrics = step(state, single(batch), jax.random.key(3))
        history.append((state, metrics))
    return detector, started(detector, batch), history


def test_a_step_reaches_every_parameter_and_statistic(trained):
    _, before, history = trained
    after = history[0][0]
    assert int(after.step) == 1
    assert min(largest_change(before.params, after.params)) > 0
    assert min(largest_change(before.variables["batch_stats"], after.variables["batch_stats"])) > 0


def test_the_loss_falls_on_one_batch(trained):
    totals = [float(metrics["total"]) for _, metrics in trained[2]]
    assert totals[-1] < 0.9 * totals[0]
    metrics = trained[2][0][1]
    assert metrics["total"] == pytest.approx(float(metrics["distance"] + metrics["regulariser"]), rel=1e-5)


def test_nme_is_the_mean_distance_between_the_eyes(trained, batch, info):
    detector, state, _ = trained
    metrics = jitted(detector, "eval_step")(state, batch)
    maps = np.asarray(jitted(detector, "heatmaps")(detector.weights(state), single(batch)["image"]))
    centres = (np.arange(8) + 0.5) / 8
    found = np.stack([np.einsum("bhwn,w->bn", maps, centres), np.einsum("bhwn,h->bn", maps, centres)], -1)
    truth = single(batch)["landmarks"]
    error = np.linalg.norm(found - truth, axis=-1).mean(1) / inter_ocular(truth, info.scheme)
    assert metrics["nme"] == pytest.approx(error.mean(), rel=1e-4)


def test_both_groupings_are_the_same_examples(trained, batch):
    detector, state, _ = trained
    evaluate = jitted(detector, "eval_step")
    grouped, flat = evaluate(state, batch), evaluate(state, single(batch))
    assert float(grouped["nme"]) == pytest.approx(float(flat["nme"]), rel=1e-5)


@pytest.mark.parametrize("regulariser", ["js", "kl", "variance"])
def test_any_scheme_size_and_regulariser(regulariser):
    info = FaceInfo(WFLW98, 64, ("Ada",))
    detector = small_detector(info, jnp.bfloat16, regulariser=regulariser)
    state, metrics = abstract_step(detector, one_of_each(info, 2))
    assert set(metrics) == {"distance", "regulariser", "total"}
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves((state.params, state.variables, metrics)))


def test_pictures(trained, batch):
    detector, state, _ = trained
    shapes = {name: x.shape for name, x in jax.eval_shape(detector.sample_images, state, batch).items()}
    assert shapes == {"detected": (6, 2, 32, 32, 3)}


def test_landmarks_off_the_picture_do_not_count(trained, batch):
    detector, state, _ = trained
    metrics = []
    for place in (1.5, 7.0):
        landmarks = single(batch)["landmarks"].copy()
        landmarks[:, 3] = place
        metrics.append(jitted(detector, "eval_step")(state, {**single(batch), "landmarks": landmarks})["total"])
    assert float(metrics[0]) == pytest.approx(float(metrics[1]), rel=1e-5)


@pytest.mark.parametrize("width", [0, 4, 12, 30])
def test_a_width_that_cannot_be_split_is_an_error(width):
    with pytest.raises(ValueError, match=f"width is {width}; it must be a multiple of 8"):
        DetectorPhase.Settings(width=width)
