import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_methods import abstract_step, compiled, figures_of, largest_change, on_two_devices, started
from small_synthesizers import FACES, SMALL, couples, small_synthesizer, small_vgg

from lgan_jax.core import DATA_AXIS, FaceInfo
from lgan_jax.landmarks import IBUG68
from lgan_jax.losses.reconstruction import pixel_weights
from lgan_jax.methods.expression.phases import SynthesizerPhase, Weights
from lgan_jax.nn import vgg
from lgan_jax.ops import augment

NETWORKS = ("generator", "image_discriminator", "geometry_discriminator")


@pytest.fixture(scope="module")
def trained():
    """A phase with a perceptual loss, its compiled step, its first state, and the states and metrics of its steps."""
    method = small_synthesizer(vgg19="vgg19.pth", pretrained=small_vgg())
    batch, step = couples(6), compiled(method)
    first = state = started(method, batch)
    history = []
    for i in range(3):
        state, metrics = step(state, batch, jax.random.key(i))
        history.append((state, metrics))
    return method, step, first, history


def test_a_step_reaches_every_parameter_of_every_network(trained):
    _, _, first, history = trained
    before, after = first, history[0][0]
    assert set(first.params) == set(NETWORKS)
    for name in NETWORKS:
        assert min(largest_change(before.params[name], after.params[name])) > 0
    assert min(largest_change(first.variables["batch_stats"], after.variables["batch_stats"])) > 0
    assert int(history[-1][0].step) == 3


def test_weights_start_normal_with_a_deviation_of_two_hundredths(trained):
    _, _, first, _ = trained
    kernel = first.params["geometry_discriminator"]["context"]["kernel"]
    assert kernel.shape == (4, 4, 68, 2)
    assert float(kernel.std()) == pytest.approx(0.02, rel=0.06)
    assert float(jnp.abs(first.params["generator"]["decoder"]["colours"]["bias"]).max()) == 0


def test_the_total_is_equation_7(trained):
    method, _, _, history = trained
    for _, metrics in history:
        weights = dataclasses.asdict(method.settings.weights)
        assert weights.pop("features") == 0
        assert set(metrics) == {*weights, "total", "discriminator"}
        expected = sum(weight * float(metrics[name]) for name, weight in weights.items())
        assert float(metrics["total"]) == pytest.approx(expected, rel=1e-5)
        assert float(metrics["perceptual"]) > 0


def test_real_and_generated_share_one_batch(trained):
    """The last batch norm takes the mean off all logits together, not off those of each."""
    method, _, first, _ = trained
    batch = jax.tree.map(lambda x: jnp.asarray(x)[None], couples(6))
    made = jnp.full_like(batch["image"][:, :, 1], 0.9)
    judge = jax.jit(jax.vmap(method.discriminator_outputs, (None, 0, 0), axis_name="data"))
    for real, fake in judge(first.params, batch, made):
        assert real.shape == fake.shape == (1, 6, 2, 2, 1)
        assert float(real.mean() + fake.mean()) == pytest.approx(0, abs=1e-4)
        assert abs(float(real.mean() - fake.mean())) > 1e-3


def test_the_average_of_weights_and_statistics_warms_up(trained):
    """After step 0 it is 0.1·start + 0.9·trained."""
    _, _, first, history = trained
    after = history[0][0]
    for start, now, average in (
        (first.ema["generator"], after.params["generator"], after.ema["generator"]),
        (first.ema["batch_stats"], after.variables["batch_stats"], after.ema["batch_stats"]),
    ):
        expected = jax.tree.map(lambda a, b: 0.1 * np.asarray(a) + 0.9 * np.asarray(b), start, now)
        assert max(largest_change(expected, average)) < 1e-5


def test_one_device_does_what_two_do(trained):
    """With dropout, batch norm and its running statistics."""
    method, step, _, history = trained
    state, batch, key = history[1][0], couples(6), jax.random.key(3)
    one, expected = step(state, batch, key)
    two, metrics = on_two_devices(method, state, batch, key)
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=2e-3, atol=1e-5)
    for ours, theirs in (
        (one.optimizers, two.optimizers),
        (one.variables["batch_stats"], two.variables["batch_stats"]),
    ):  # moments: gradients
        for device in range(2):
            assert max(largest_change(ours, jax.tree.map(lambda x, i=device: x[i], theirs))) < 2e-4


def test_evaluation_and_images_are_of_what_was_asked(trained):
    method, _, _, history = trained
    state, batch = history[-1][0], couples(4)
    metrics = jax.jit(method.eval_step)(state, batch)
    source, target = batch["image"][:, 0], batch["image"][:, 1]
    wanted = batch["landmarks"][:, 1], batch["expression"][:, 1]
    made = np.asarray(jax.jit(method.synthesize)(state, source, *wanted))
    assert set(metrics) == {"l1", "l1_source", "ssim", "ssim_source", "psnr"}
    assert float(metrics["l1"]) == pytest.approx(np.abs(made - target).mean() / 2, rel=1e-4)
    assert float(metrics["l1_source"]) == pytest.approx(0.1, rel=1e-4)
    squares = ((made - target) ** 2).mean((1, 2, 3)) / 4
    assert float(metrics["psnr"]) == pytest.approx(-10 * np.log10(squares).mean(), rel=1e-4)
    sheet = np.asarray(jax.jit(method.sample_images)(state, batch)["synthesized"])
    assert sheet.shape == (4, 4, 32, 32, 3)
    np.testing.assert_array_equal(sheet[:, [0, 3]], batch["image"])
    np.testing.assert_allclose(sheet[:, 2], made, atol=1e-5)
    assert (sheet[:, 1].max((1, 2, 3)) > 0).all()


def test_discriminators_can_take_part_later():
    """A quarter of eight steps: not in the first two, then in the third."""
    method, batch = small_synthesizer(steps=8, adversarial_start=0.25), couples(6)
    assert [method.step_variant(step) for step in range(4)] == [False, False, True, True]
    first = started(method, batch)
    after, metrics = compiled(method, variant=False)(first, batch, jax.random.key(0))
    assert min(largest_change(first.params["generator"], after.params["generator"])) > 0
    for name in NETWORKS[1:]:
        kept = ((x.params[name], x.optimizers[name]) for x in (first, after))
        assert max(largest_change(*kept)) == 0
    assert metrics["adversarial"] == metrics["discriminator"] == 0
    assert float(metrics["total"]) == pytest.approx(10 * float(metrics["pixel"]), rel=1e-5)
    assert set(abstract_step(method, batch)[1]) == set(metrics)


def test_pixels_near_eyes_and_mouth_can_count_more():
    """Of networks that have not learned: what they make is nearly grey, so that all differences are the target's."""
    batch = couples(6)
    plain, weighted = (small_synthesizer(weights=Weights(features=x)) for x in (0.0, 4.0))
    state, key = started(plain, batch), jax.random.key(0)
    without, found = (figures_of(each, state, batch, key, variant=False)["pixel"] for each in (plain, weighted))
    weights = np.asarray(pixel_weights(jnp.asarray(batch["landmarks"][:, 1]), IBUG68, 32, 4.0))
    apart = np.abs(batch["image"][:, 1])
    expected = (weights * apart).mean() / apart.mean()
    assert expected > 1.3
    assert float(found / without) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("options", [{"initialise": False}, {"labels": False, "adversarial": "hinge"}])
def test_ablations_in_bfloat16_at_another_size(options):
    info = FaceInfo(IBUG68, 128, ("Ada",))
    state, metrics = abstract_step(small_synthesizer(info, jnp.bfloat16, **options), couples(2, 128))
    assert all(x.dtype in (jnp.float32, jnp.int32) for x in jax.tree.leaves((state, metrics)))
    assert "perceptual" not in metrics


def test_both_images_of_an_example_are_changed_alike():
    method = small_synthesizer(augmentation=dataclasses.replace(augment.NONE, mirror=True, brightness=0.2))
    batch = couples(6)
    batch["image"][:, 1], batch["landmarks"][:, 1] = batch["image"][:, 0] * 0.5, batch["landmarks"][:, 0]
    before, landmarks = (batch["image"] + 1) / 2, batch["landmarks"]
    split = {name: values[None] for name, values in batch.items()}
    changed = jax.vmap(method.augmented, (0, None), axis_name=DATA_AXIS)(split, jax.random.key(0))
    after = (np.asarray(changed["image"][0]) + 1) / 2
    np.testing.assert_array_equal(changed["landmarks"][0, :, 0], changed["landmarks"][0, :, 1])
    turned = [not np.allclose(new, old) for new, old in zip(changed["landmarks"][0, :, 0], landmarks[:, 0])]
    assert 0 < sum(turned) < 6
    added = []
    for i, flip in enumerate(turned):
        expected = before[i, :, :, ::-1] if flip else before[i]
        inside = (after[i] > 0) & (after[i] < 1)
        added.append((after[i] - expected)[inside])
        assert np.ptp(added[-1]) < 1e-5
    assert np.ptp([each.mean() for each in added]) > 0.1


def test_what_is_left_out_is_said():
    (what,) = SynthesizerPhase.left_out(SynthesizerPhase.Settings(**SMALL))
    assert what.startswith("the perceptual loss (Eq. 6), as VGG19")
    assert vgg.PUBLISHED["vgg19"] in what
    assert "--config.synthesizer.vgg19" in what
    assert SynthesizerPhase.left_out(SynthesizerPhase.Settings(weights=Weights(perceptual=0.0))) == ()
    assert SynthesizerPhase.left_out(SynthesizerPhase.Settings(vgg19="vgg19.pth")) == ()


def test_what_cannot_be_trained_is_said():
    for size in (36, 24):
        with pytest.raises(
            ValueError, match=f"images are {size} pixels wide; this method supports multiples of 8 from"
        ):
            small_synthesizer(dataclasses.replace(FACES, size=size))
    with pytest.raises(ValueError, match="units is 0; there must be at least one"):
        SynthesizerPhase.Settings(units=0)
    with pytest.raises(ValueError, match=r"dropout is 1\.0; it must be at least 0"):
        SynthesizerPhase.Settings(dropout=1.0)
    with pytest.raises(ValueError, match=r"adversarial_start is 1\.0; it must be at least 0 and less than 1"):
        SynthesizerPhase.Settings(adversarial_start=1.0)
    with pytest.raises(ValueError, match="without the VGG19 weights"):
        abstract_step(small_synthesizer(vgg19="vgg19.pth"), couples(2))
