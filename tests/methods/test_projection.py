"""The projector with networks that are easily seen through: pictures themselves, and the brightness of places."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from lgan_jax import inversion
from lgan_jax.methods.projection import projector as projectors
from lgan_jax.methods.projection import styles
from lgan_jax.methods.projection.losses import for_landmarks
from lgan_jax.methods.projection.networks import Generator
from lgan_jax.methods.projection.projector import Projector, Seer, Settings, flat
from lgan_jax.ops.heatmaps import gaussians

LOOK = 10.0  # weight of the look's features, and how much smaller colors are than StyleGAN2's at its start


def looks(variables, image):
    """Half of the resolution, in one layer."""
    count, side = len(image), image.shape[1] // 2
    return [image.reshape(count, side, 2, side, 2, 3).mean((2, 4)) * variables]


def maps(variables, image):
    """Two points' maps: how red each sixteenth is, and how blue."""
    sixteenth = for_landmarks(image).reshape(len(image), 4, 64, 4, 64, 3).mean((2, 4))
    return sixteenth[..., ::2] * variables


@pytest.fixture(scope="module")
def generator():
    module = Generator((4, 3), latent=5, style=6, layers=1)
    variables = within(jax.jit(module.init)(jax.random.key(2), jnp.zeros((1, 5))))
    return module, with_noise(variables, 1e-6)


def within(variables):
    """With colors that stay in [-1, 1]."""
    params = flatten_dict(variables["params"])
    params = {path: x / LOOK if path[-2:] == ("torgb", "kernel") else x for path, x in params.items()}
    return {**variables, "params": unflatten_dict(params)}


def with_noise(variables, strength):
    """In the last layer alone."""
    params = flatten_dict(variables["params"])
    params["synthesis", "b8", "conv1", "noise_strength"] = jnp.float32(strength)
    return {**variables, "params": unflatten_dict(params)}


def made(generator, **settings):
    settings = {"steps": 40, "samples": 300, "every": 20, "regularity": 1.0, "slots": 2, **settings}
    weights = np.array([1.0, 0.5], np.float32)
    seers = Seer(looks, jnp.float32(LOOK)), Seer(maps, jnp.float32(1))
    return Projector(generator, *seers, weights, Settings(**settings))


@pytest.fixture(scope="module")
def projector(generator):
    return made(generator)


@pytest.fixture(scope="module")
def pictures(generator):
    """Of five latents."""
    module, variables = generator
    latents = jax.random.normal(jax.random.key(5), (5, 5))
    return np.asarray(jax.jit(module.apply)(variables, latents))


def test_mean_and_deviation_of_styles(generator, projector):
    module, variables = generator
    latents = np.random.RandomState(123).randn(300, 5).astype(np.float32)
    mapped = np.asarray(module.apply(variables, jnp.asarray(latents), method="map"), np.float64)
    np.testing.assert_allclose(projector.mean, mapped.mean(0), atol=1e-5)
    np.testing.assert_allclose(projector.std, np.sqrt(mapped.var(0).sum()), rtol=1e-5)


def test_the_first_places_are_truncated(generator):
    """Of four: none, two, all; a share of the way from the mean style."""
    module, variables = generator
    mean = np.arange(6, dtype=np.float32)
    variables = {**variables, "buffers": {**variables["buffers"], "mapping": {"w_avg": jnp.asarray(mean)}}}
    z = jax.random.normal(jax.random.key(1), (3, 5))
    own = np.asarray(module.apply(variables, z, method="map"))
    near = mean + 0.25 * (own - mean)
    np.testing.assert_allclose(module.apply(variables, z, None, 0.25, method="map"), near, atol=1e-5)
    for cutoff in (0, 2, 4):
        styles = np.asarray(module.apply(variables, z, None, 0.25, cutoff, method="map"))
        assert styles.shape == (3, 4, 6)
        expected = np.where(np.arange(4)[None, :, None] < cutoff, near[:, None], own[:, None])
        np.testing.assert_allclose(styles, expected, atol=1e-5)
    alike = [module.apply(variables, z, None, 0.25, None, cutoff) for cutoff in (None, 4)]
    np.testing.assert_allclose(*alike, atol=1e-5)


@pytest.fixture(scope="module")
def reports():
    return []


@pytest.fixture(scope="module")
def found(projector, pictures, reports):
    return projector(pictures[:2], pictures[:2], 2, jax.random.key(1), reports.append)


def test_it_comes_near_to_pictures_that_the_generator_can_make(projector, pictures, found, reports):
    """To a fraction of the mean style's distance. Of every pair the better restart."""
    assert sorted(reports[0].terms) == ["landmarks", "look", "noise"]
    middle = projector.draw(np.tile(projector.mean, (2, 1)), [x * 0 for x in found.noise])
    before, after = (np.abs(x - pictures[:2]).mean((1, 2, 3)) for x in (middle, found.image))
    assert (after < 0.5 * before).all()
    assert found.style.shape == (2, 6)
    assert [x.shape for x in found.noise] == [(2, 4, 4), (2, 8, 8), (2, 8, 8)]
    np.testing.assert_allclose(sum(found.terms.values()), found.loss, rtol=1e-5)
    np.testing.assert_allclose([np.mean(x**2) for x in found.noise], 1, rtol=1e-3)


@pytest.mark.parametrize("look", [1.0, 0.0])
def test_restarts_begin_at_the_best_candidates_near_the_look(generator, pictures, look):
    """Or at those nearest to the landmarks, where these alone count; compared two at a time."""
    projector, begun = made(generator, candidates=250, steps=1, learning_rate=1e-6, look=look, landmarks=9.0), {}

    def report(progress):
        begun.update(zip(progress.example.tolist(), np.array(progress.parameters["style"])))

    found = projector(pictures[:3], pictures[1:4], 2, jax.random.key(1), report)
    module, variables = generator
    latents = np.random.RandomState(124).randn(250, 5).astype(np.float32)
    candidates = np.asarray(module.apply(variables, jnp.asarray(latents), method="map"))
    drawn = projector.draw(candidates, [np.zeros((250, *x.shape[1:]), np.float32) for x in found.noise])
    for i in range(3):
        seen = np.sum((np.asarray(looks(LOOK, drawn)[0]) - looks(LOOK, pictures[i : i + 1])[0]) ** 2, (1, 2, 3))
        heat = projector.heatmap_distance(drawn, np.repeat(pictures[i + 1 : i + 2], 250, 0))
        near = np.argsort(seen)[:5] if look else np.arange(250)
        loss = look * seen + projector.settings.landmarks * heat
        best = candidates[near[np.argsort(loss[near])[:2]]]
        np.testing.assert_allclose([begun[2 * i], begun[2 * i + 1]], best, atol=1e-4)


def test_a_style_for_each_place_reaches_what_one_for_all_cannot(generator, projector):
    """Pictures of four styles each."""
    mixed = projector.sample_styles(8, 1).reshape(2, 4, 6)
    target = projector.draw(mixed, [np.zeros((2, side, side), np.float32) for side in (4, 8, 8)])
    found = made(generator, space="w+")(target, target)
    assert found.style.shape == (2, 4, 6)
    assert (found.loss < 0.5 * projector(target, target).loss).all()


def test_the_prior_keeps_styles_usual(generator, pictures):
    """For a picture that the generator cannot make."""
    signs = np.where(np.indices((8, 8)).sum(0)[None, ..., None] % 2, 1.0, -1.0).repeat(3, -1)
    target = (signs / LOOK).astype(np.float32)
    far, near = (made(generator, prior=prior)(target, target) for prior in (0.0, 10.0))
    measure = jax.device_put(styles.spread(made(generator).sample_styles(300, 123)).measure)
    distances = [float(styles.unusual(jnp.asarray(found.style), measure)[0]) for found in (far, near)]
    assert distances[1] < 0.5 * distances[0]
    assert "prior" not in far.terms
    np.testing.assert_allclose(near.terms["prior"], 10 * distances[1], rtol=1e-3)


def test_noise_counts_for_nothing_where_the_generator_makes_nothing_of_it(generator, pictures):
    module, variables = generator
    found = made((module, with_noise(variables, 0)), steps=2)(pictures[:1], pictures[:1])
    assert set(found.terms) == {"look", "landmarks"}


def test_styles_of_the_sample_are_usual():
    """In directions of whatever scale, and where the last leaky ReLU has folded them."""
    numbers = np.random.default_rng(1).normal(size=(5000, 3)) @ [[3.0, 1, 0], [0, 0.1, 0.5], [0, 0, 5.0]] + [1.0, -2, 5]
    sample = np.where(numbers < 0, 0.2 * numbers, numbers).astype(np.float32)
    spread = styles.spread(sample)
    unusual = np.asarray(styles.unusual(*jax.device_put((sample, spread.measure))))
    np.testing.assert_allclose(unusual.mean(), 1, rtol=1e-3)
    np.testing.assert_allclose(np.quantile(3 * unusual, 0.95), 7.815, rtol=0.05)  # χ² of three degrees of freedom
    of_places = styles.unusual(*jax.device_put((sample.reshape(-1, 2, 3), spread.measure)))
    np.testing.assert_allclose(of_places, unusual.reshape(-1, 2).mean(1), rtol=1e-4)
    np.testing.assert_allclose(spread.mean, sample.mean(0), rtol=1e-4)


def test_the_weight_of_landmarks_moves_towards_them(generator, projector, pictures):
    """Look and landmarks are of different pictures."""
    near = []
    for each in (projector, made(generator, landmarks=30.0)):
        result = each(pictures[:2], pictures[3:], key=jax.random.key(1))
        heat = [each.heatmaps(x) for x in (result.image, pictures[3:])]
        near.append((np.abs(heat[0] - heat[1]).mean(), np.abs(result.image - pictures[:2]).mean()))
    assert near[1][0] < 0.8 * near[0][0]
    assert near[1][1] > near[0][1]


def test_it_can_start_from_what_was_found(projector, pictures, found, reports):
    """It is better from the start, and better still in the end."""
    again = []
    projector(pictures[:2], pictures[:2], progress=again.append, start=found)
    assert (again[0].step == 20).all()
    assert again[0].loss.mean() < reports[0].loss.mean()
    assert again[-1].loss.mean() < found.loss.mean()


@pytest.mark.parametrize("steps", [1000, 250, 30, 7])
def test_the_schedule_is_the_published_one(steps):
    """By the tool's own formula: ramps are shares of the steps, also where these are no whole numbers."""
    for step in range(steps):
        t = step / steps
        expected = 0.1 * (0.5 - 0.5 * np.cos(np.pi * min(1, (1 - t) / 0.25))) * min(1, t / 0.05)
        np.testing.assert_allclose(Settings(steps=steps).rate(np.int32(step)), expected, atol=1e-7)


def test_without_ramps_the_rate_is_constant():
    calm = Settings(steps=9, warmup_fraction=0.0, decay_fraction=0.0)
    assert [float(calm.rate(step)) for step in (0, 4, 8)] == pytest.approx([0.1] * 3)
    with pytest.raises(ValueError, match=r"warmup_fraction is 1\.5; it must be between 0 and 1"):
        Settings(warmup_fraction=1.5)


def test_searching_again_compiles_nothing_again(generator, pictures, caplog):
    """Candidates are drawn in every call, by one compiled function."""
    each = made(generator, candidates=40, steps=1)
    compiled = []
    for _ in range(2):
        caplog.clear()
        with jax.log_compiles(), caplog.at_level("WARNING", "jax"):
            each(pictures[:1], pictures[:1])
        compiled.append(sum("Finished XLA compilation" in record.getMessage() for record in caplog.records))
    assert compiled[0] > 0
    assert compiled[1] == 0


def test_with_too_little_memory_fewer_are_worked_on(generator, pictures, monkeypatch):
    said, tried = [], []

    class Full(inversion.Inverter):
        """Has found what it started from, if it has the memory."""

        def __call__(self, shared, start, targets, key, progress):
            tried.append(self.settings.slots)
            if self.settings.slots > limit:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
            return inversion.Found(start, np.zeros(4, np.float32), {}, np.ones(4, int), np.zeros(4, int))

    monkeypatch.setattr(projectors.inversion, "Inverter", Full)
    projector = made(generator, slots=8)
    monkeypatch.setattr(projector, "_say", said.append)
    limit = 2
    assert projector(pictures[:4], pictures[:4]).style.shape == (4, 6)
    assert tried == [8, 2]
    assert said == ["memory is too small for that many images at a time: going on with 2"]
    limit = 0
    with pytest.raises(ValueError, match="memory is too small to project onto 8 pixels, even one image"):
        projector(pictures[:1], pictures[:1])


def test_landmarks_themselves_are_wanted_as_maps(projector, pictures):
    """Of the default σ, in the network's resolution, from which the made pictures' own maps lie the loss apart."""
    points = np.random.default_rng(0).uniform(0, 1, (2, 2, 2)).astype(np.float32)
    found = projector(pictures[:2], points)
    apart = (projector.heatmaps(found.image) - np.asarray(gaussians(jnp.asarray(points), 4, 4, 1.0))) * (1.0, 0.5)
    expected = projector.settings.landmarks * np.sqrt((apart**2).sum((1, 2, 3)))
    np.testing.assert_allclose(found.terms["landmarks"], expected, rtol=0.02)
    with pytest.raises(ValueError, match=r"landmarks have the shape \(2, 68, 2\); expected \(2, 2, 2\)"):
        projector(pictures[:2], np.zeros((2, 68, 2), np.float32))


def test_what_it_cannot_be_given(generator, projector, pictures):
    with pytest.raises(ValueError, match=r"landmarks have the shape \(2, 8, 8, 3\); expected \(5, 8, 8, 3\)"):
        projector(pictures, pictures[:2])
    with pytest.raises(ValueError, match=r"images of the look must be in \[-1, 1\]; these are from .* to"):
        projector(pictures[:1] + 2, pictures[:1])
    with pytest.raises(ValueError, match="images of the landmarks hold values that are not finite"):
        projector(pictures[:1], pictures[:1] * np.float32("nan"))
    with pytest.raises(ValueError, match=r"landmarks must be fractions of the image, .* from 7 to 7"):
        projector(pictures[:1], np.full((1, 2, 2), 7, np.float32))
    with pytest.raises(ValueError, match=r"look have the shape \(1, 4, 4, 3\); expected \(B, 8, 8, 3\)"):
        projector(pictures[:1, :4, :4], pictures[:1, :4, :4])
    with pytest.raises(ValueError, match="samples is 6; a prior needs more than the 6 features of a style"):
        made(generator, samples=6, prior=0.1)
    with pytest.raises(ValueError, match="steps is 0; it must be at least 1"):
        Settings(steps=0)
    with pytest.raises(ValueError, match="look is nan; it must be at least 0"):
        Settings(look=float("nan"))
    with pytest.raises(ValueError, match="4 restarts need as many candidates; there are 3"):
        made(generator, candidates=3)(pictures[:1], pictures[:1], restarts=4)
    labelled = Generator((4, 4), labels=3)
    with pytest.raises(ValueError, match="is conditional on 3 classes; give an unconditional one"):
        made((labelled, {}))


def test_flat_maps():
    heat = np.zeros((2, 4, 6, 5), np.float32)
    heat[0, 1, 2, 1:] = 0.8
    heat[1, 1, 2, :3] = (0.9, 0.9, 0.1)
    assert flat(heat, np.array([1, 2, 3])).tolist() == [False, True]
