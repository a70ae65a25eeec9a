"""The inverse of the generator, the landmark generator that learns from it, and the model of all three."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_faces import COUNT, FACES, SEARCH, finished, pictures, small_began
from small_methods import compiled, jitted, largest_change, on_two_devices, started

from lgan_jax.core import Finished
from lgan_jax.inversion import Settings as Search
from lgan_jax.methods import METHODS
from lgan_jax.methods.began.inverse import InversePhase
from lgan_jax.methods.began.landmark_generator import LandmarkGeneratorPhase
from lgan_jax.methods.began.latent_bootstrap import LatentBootstrap


@pytest.fixture(scope="module")
def phases():
    return finished()


@pytest.fixture(scope="module")
def faces(phases):
    return METHODS["began"].load(FACES, phases)


def test_the_inverse_finds_what_the_generator_was_given(phases):
    """Made of the generator's own faces, so that they can be found; the error falls to nearly nothing."""
    began = phases["began"]
    z = np.random.default_rng(1).uniform(-1, 1, (3, 64)).astype(np.float32)
    made = np.asarray(began.phase.generate(began.phase.networks(began.state), jnp.asarray(z)))
    search = Search(steps=150, slots=3, every=50, tolerance=0.0)
    inverse = InversePhase(InversePhase.Settings(batch_size=3, search=search), FACES, jnp.float32, phases)
    state = jax.device_get(started(inverse, pictures(1)))
    batch = jax.device_put({"image": made[[0, 1, 2, 1]], "index": np.array([4, 0, 2, 0], np.int32)})
    after, metrics = inverse.train_step(state, batch, jax.random.key(0))
    assert state.variables["error"].tolist() == [-1] * COUNT
    assert (after.variables["error"][[4, 0, 2]] < 0.15 * np.abs(made - made.mean(0)).mean()).all()
    assert after.variables["error"][[1, 3, 5, 6]].tolist() == [-1] * 4
    assert np.abs(after.variables["z"]).max() <= 1
    assert not after.variables["z"][[1, 3, 5, 6]].any()
    assert int(after.step) == 1
    assert metrics["updates"] == 150
    again = np.asarray(
        began.phase.generate(began.phase.networks(began.state), jnp.asarray(after.variables["z"][[4, 0, 2]]))
    )
    np.testing.assert_allclose(np.abs(again - made).mean((1, 2, 3)), after.variables["error"][[4, 0, 2]], rtol=1e-3)


def test_the_inverse_goes_once_through_all_images():
    settings = InversePhase.Settings(batch_size=4)
    assert InversePhase.length(settings, 9) == 3
    assert InversePhase.length(InversePhase.Settings(steps=5, batch_size=4), 9) == 5


def test_what_was_searched_for_is_evaluated_and_shown(phases):
    method, state = phases["inverse"]
    assert (state.variables["error"] >= 0).all()
    half = state.with_variables(error=np.where(np.arange(COUNT) < 3, state.variables["error"], -1))
    metrics = jitted(method, "eval_step")(half, pictures(2))
    assert float(metrics["searched"]) == pytest.approx(3 / 7)
    assert float(metrics["error"]) == pytest.approx(state.variables["error"][:3].mean(), rel=1e-5)
    batch = pictures(5)
    sheet = np.asarray(jax.jit(method.sample_images)(state, batch)["inverted"])
    np.testing.assert_array_equal(sheet[:, 0], batch["image"])
    error = np.abs(sheet[:, 1] - batch["image"]).mean((1, 2, 3))
    np.testing.assert_allclose(error, state.variables["error"][batch["index"]], rtol=1e-3)


def test_the_landmark_generator_learns_from_each_images_own_z(phases):
    method, first = phases["landmark_generator"]
    batch, step = pictures(6), compiled(method)
    after, metrics = step(first, batch, jax.random.key(0))
    assert min(largest_change(first.params, after.params)) > 0
    z = jnp.asarray(phases["inverse"].state.variables["z"][batch["index"]])
    found = np.asarray(method.landmarks(first, z))
    assert float(metrics["squares"]) == pytest.approx(((found - batch["landmarks"]) ** 2).mean(), rel=1e-4)
    state = after
    for i in range(40):
        state, metrics = step(state, batch, jax.random.key(i))
    assert float(metrics["squares"]) < 0.8 * float(((found - batch["landmarks"]) ** 2).mean())
    figures, sheet = jitted(method, "eval_step")(state, batch), jax.jit(method.sample_images)(state, batch)["landmarks"]
    assert set(figures) == {"nme", "squares"}
    assert sheet.shape == (6, 2, 16, 16, 3)


def test_images_whose_z_was_not_found_teach_nothing(phases):
    """Also where devices have different numbers of them: the loss is over those that were found, whoever has them."""
    _, inverse = phases["inverse"]
    known = np.array([True, False, False, True, False, True, False])
    half = inverse.with_variables(
        error=np.where(known, inverse.variables["error"], -1), z=np.where(known[:, None], inverse.variables["z"], 0)
    )
    phases = {**phases, "inverse": phases["inverse"]._replace(state=half)}
    method = LandmarkGeneratorPhase(LandmarkGeneratorPhase.Settings(steps=20, batch_size=6), FACES, jnp.float32, phases)
    batch = pictures(6)
    there = known[batch["index"]]
    assert there.reshape(2, 3).sum(1).tolist() == [2, 1]
    state = started(method, batch)
    found = np.asarray(method.landmarks(state, jnp.asarray(half.variables["z"][batch["index"]])))
    expected = ((found - batch["landmarks"]) ** 2).mean((1, 2))[there].mean()
    after, metrics = compiled(method)(state, batch, jax.random.key(0))
    assert float(metrics["squares"]) == pytest.approx(expected, rel=1e-5)
    two, of_two = on_two_devices(method, state, batch, jax.random.key(0))
    np.testing.assert_allclose(of_two["squares"], expected, rtol=1e-5)
    assert max(largest_change(after.params, jax.tree.map(lambda x: x[1], two.params))) < 1e-4
    moved = {**batch, "landmarks": np.where(there[:, None, None], batch["landmarks"], 0.9).astype(np.float32)}
    assert max(largest_change(after.params, compiled(method)(state, moved, jax.random.key(0))[0].params)) == 0
    figures = jitted(method, "eval_step")(state, batch)
    assert float(figures["squares"]) == pytest.approx(expected, rel=1e-5)
    assert figures == jitted(method, "eval_step")(state, moved)


def test_noise_is_added_to_z_while_it_trains(phases):
    """Its loss is that of other z, by another noise at each step, and where it is measured there is none."""
    method, first = phases["landmark_generator"]
    noisy = LandmarkGeneratorPhase(LandmarkGeneratorPhase.Settings(batch_size=6, noise=0.2), FACES, jnp.float32, phases)
    batch, step = pictures(6), compiled(noisy)
    losses = [float(step(first, batch, jax.random.key(i))[1]["squares"]) for i in (0, 0, 1)]
    assert losses[0] == losses[1]
    assert len({*losses, float(compiled(method)(first, batch, jax.random.key(0))[1]["squares"])}) == 3
    measured = [float(jitted(each, "eval_step")(first, batch)["squares"]) for each in (noisy, method)]
    assert measured[0] == measured[1]


def test_the_model_makes_faces_with_landmarks_by_seed_and_number(faces, phases):
    several = faces.sample(3, 6)
    assert (several.z.shape, several.image.shape, several.landmarks.shape) == ((6, 64), (6, 16, 16, 3), (6, 49, 2))
    assert np.abs(several.z).max() <= 1
    for one, part in zip(faces.sample(3, 1, first=4), several):
        np.testing.assert_allclose(one[0], part[4], atol=1e-5)
    assert np.abs(faces.sample(4, 6).z - several.z).max() > 0.1
    began, landmarks = phases["began"], phases["landmark_generator"]
    np.testing.assert_allclose(
        several.image,
        np.clip(began.phase.generate(began.phase.networks(began.state), jnp.asarray(several.z)), -1, 1),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        several.landmarks, landmarks.phase.landmarks(landmarks.state, jnp.asarray(several.z)), atol=1e-5
    )
    assert (faces.size, faces.scheme) == (16, FACES.scheme)


def test_faces_can_be_made_near_training_images(faces, phases):
    """Seven images are fewer than the neighbours that count: z are normal, with their mean and covariance."""
    z = phases["inverse"].state.variables["z"]
    near = faces.sample(3, 2000, near=True).z
    assert near.shape == (2000, 64)
    inside = np.abs(z).max(0) < 0.5  # where nothing is cut off at 1
    assert inside.sum() > 10
    np.testing.assert_allclose(near.mean(0)[inside], z.mean(0)[inside], atol=0.03)
    np.testing.assert_allclose(np.cov(near.T)[inside][:, inside], np.cov(z.T, ddof=0)[inside][:, inside], atol=0.02)
    np.testing.assert_array_equal(faces.draw(3, np.array([1999, 5]), near=True), near[[1999, 5]])
    assert np.abs(faces.draw(4, np.array([5]), near=True) - near[5]).max() > 1e-3


def test_near_is_near_the_nearest():
    """Two groups of z far from each other, of as many as count: each drawn z lies in one of them."""
    rng = np.random.default_rng(0)
    z = np.concatenate([centre + 0.05 * rng.normal(size=(16, 64)) for centre in (-0.6, 0.6)]).astype(np.float32)
    middle = LatentBootstrap(z).draw(0, range(200)).mean(1)
    assert (np.abs(np.abs(middle) - 0.6) < 0.05).all()
    assert 60 < (middle > 0).sum() < 140
    with pytest.raises(ValueError, match="train the inverse phase"):
        LatentBootstrap(z[:0])


def test_the_model_inverts_as_the_phase_does(faces, phases):
    batch, reports = pictures(7), []
    found = faces.invert(batch["image"], reports.append)
    np.testing.assert_allclose(found.z, phases["inverse"].state.variables["z"][batch["index"]], atol=1e-5)
    np.testing.assert_allclose(found.error, phases["inverse"].state.variables["error"][batch["index"]], rtol=1e-4)
    assert found.updates.tolist() == [SEARCH.steps] * 7
    assert found.landmarks.shape == (7, 49, 2)
    assert reports[-1].finished == 7


def test_a_generator_whose_images_are_not_finite_is_said(phases):
    began, state = phases["began"]
    broken = jax.tree.map(lambda x: x * jnp.float32("nan"), state.ema)
    faces = METHODS["began"].load(FACES, {**phases, "began": Finished(began, state.replace(ema=broken))})
    line = "the objective of 7 of 7 targets was never finite; the first is number 0: the generator's images are not"
    with pytest.raises(FloatingPointError, match=f"^{line} finite; use an earlier checkpoint of began"):
        faces.invert(pictures(7)["image"])


def test_what_is_wrong_is_said(faces, phases):
    with pytest.raises(ValueError, match=r"images have the shape \(2, 8, 8, 3\); expected \(B, 16, 16, 3\)"):
        faces.invert(np.zeros((2, 8, 8, 3)))
    with pytest.raises(ValueError, match=r"z have the shape \(3, 63\); expected \(B, 64\)"):
        faces.generate(np.zeros((3, 63)))
    with pytest.raises(ValueError, match=r"the latents z must be in \[-1, 1\]; these are from 1\.5 to 1\.5"):
        faces.landmarks(np.full((3, 64), 1.5))
    with pytest.raises(ValueError, match=r"images must be in \[-1, 1\]; these are from 1\.05 to 1\.05"):
        faces.invert(np.full((2, 16, 16, 3), 1.05))
    with pytest.raises(ValueError, match="there are no images to invert"):
        faces.invert(np.zeros((0, 16, 16, 3)))
    with pytest.raises(ValueError, match="the inverse phase needs a generator: list began before it"):
        InversePhase(InversePhase.Settings(), FACES, jnp.float32, {})
    with pytest.raises(ValueError, match="the landmark_generator phase needs inverse before it"):
        LandmarkGeneratorPhase(
            LandmarkGeneratorPhase.Settings(), FACES, jnp.float32, {"began": Finished(small_began(), None)}
        )
    with pytest.raises(ValueError, match=r"noise is -0\.1; it must be at least 0"):
        LandmarkGeneratorPhase.Settings(noise=-0.1)
    with pytest.raises(ValueError, match="the run has not reached its landmark_generator phase yet"):
        METHODS["began"].load(FACES, {"began": phases["began"]})
