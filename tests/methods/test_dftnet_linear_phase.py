import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_editors import FACES, small_regressor
from small_methods import compiled, started

from lgan_jax.action_units import NUMBERS
from lgan_jax.core import Finished
from lgan_jax.faces.align import TEMPLATE
from lgan_jax.landmarks import WFLW98
from lgan_jax.methods import METHODS
from lgan_jax.methods.dftnet import linear
from lgan_jax.methods.dftnet.linear_phase import LinearPhase
from lgan_jax.ops import augment

SMILE, JAW = NUMBERS.index(12), NUMBERS.index(26)
CORNERS, CHIN = [48, 54], [7, 8, 9]


def pairs():
    """Faces that smile or drop the jaw in the second image, by their units' roots; a smile lightens all of it."""
    first = np.zeros((4, 17), np.float32)
    second = first.copy()
    second[:, SMILE], second[:, JAW] = [1, 0, 0.5, 0.2], [0, 1, 0.5, 0.9]
    landmarks = np.repeat(TEMPLATE[None, None].astype(np.float32), 4, 0).repeat(2, 1)
    root = np.sqrt(second + 0.01) - 0.1
    landmarks[:, 1, CORNERS, 1] -= 0.05 * root[:, SMILE, None]
    landmarks[:, 1, CHIN, 1] += 0.08 * root[:, JAW, None]
    image = np.full((4, 2, 64, 64, 3), -0.2, np.float32)
    image[:, 1] += 0.3 * root[:, SMILE].reshape(-1, 1, 1, 1)
    return {"image": image, "landmarks": landmarks, "action_units": np.stack([first, second], 1)}


@pytest.fixture(scope="module")
def regressor():
    method, batch = small_regressor(), pairs()
    return Finished(method, started(method, {name: batch[name][:, 0] for name in method.keys}))


def small_linear(regressor, info=FACES, **options):
    settings = LinearPhase.Settings(**{"augmentation": augment.NONE, "ridge": 1e-5, "ridge_texture": 1e-5, **options})
    return LinearPhase(settings, info, jnp.float32, {"regressor": regressor})


@pytest.fixture(scope="module")
def fitted(regressor):
    method, batch = small_linear(regressor), pairs()
    state, _ = compiled(method)(started(method, batch), batch, jax.random.key(0))
    return method, state


def test_it_starts_without_changing_a_face(regressor):
    method, batch = small_linear(regressor), pairs()
    measured = jax.jit(method.eval_step)(started(method, batch), batch)
    np.testing.assert_allclose(measured["l1"], measured["l1_source"], atol=1e-4)


def test_one_step_finds_what_action_units_move_and_lighten(fitted):
    method, state = fitted
    batch = pairs()
    measured = jax.jit(method.eval_step)(state, batch)
    moved = np.linalg.norm(np.diff(batch["landmarks"], axis=1), axis=-1).mean()
    assert float(measured["landmarks"]) < 0.05 * moved
    assert float(measured["l1"]) < 0.5 * float(measured["l1_source"])  # the image lightens beyond the face, too
    assert int(state.step) == 1
    assert float(state.variables["moments"]["count"]) == 4


def test_a_second_step_on_the_same_pairs_changes_nothing_but_the_count(fitted):
    method, state = fitted
    after, _ = compiled(method)(state, pairs(), jax.random.key(0))
    for name, value in state.variables["linear"].items():
        np.testing.assert_allclose(after.variables["linear"][name], value, atol=1e-4)
    assert float(after.variables["moments"]["count"]) == 8


def test_a_larger_ridge_changes_faces_less(regressor, fitted):
    method, batch = small_linear(regressor, ridge=10.0), pairs()
    state, _ = compiled(method)(started(method, batch), batch, jax.random.key(0))
    weak, strong = (np.abs(each.variables["linear"]["displacement"]).max() for each in (state, fitted[1]))
    assert 0 < weak < 0.1 * strong


def test_a_user_gets_edits_from_the_units_that_a_face_shows_now(fitted):
    pytest.importorskip("dlib")
    model = METHODS["dftnet"].load(FACES, {"linear": Finished(*fitted)})
    batch = pairs()
    image, units = batch["image"][:2, 0], batch["action_units"][:2, 1]
    still = model.edit(image, units, units)
    np.testing.assert_allclose(still.image, image, atol=1e-3)
    smiling = model.edit(image[:1], units[:1], batch["action_units"][:1, 0])
    assert smiling.image[0, 30:40, 28:36].mean() > image[0].mean() + 0.2
    estimated = model.edit(image[:1], units[:1])
    own = model.estimate(image[:1])
    np.testing.assert_allclose(estimated.image, model.edit(image[:1], units[:1], own).image, atol=1e-6)
    with pytest.raises(ValueError, match=r"own action units have the shape \(1, 17\); expected \(2, 17\)"):
        model.edit(image, units, own)


def test_what_it_needs_is_said(regressor):
    with pytest.raises(ValueError, match="the linear phase needs the regressor phase before it"):
        LinearPhase(LinearPhase.Settings(), FACES, jnp.float32, {})
    with pytest.raises(ValueError, match="the linear phase needs ibug68 landmarks; these data have wflw98"):
        small_linear(regressor, dataclasses.replace(FACES, scheme=WFLW98))
    with pytest.raises(ValueError, match="ridge is 0; it must be above 0"):
        LinearPhase.Settings(ridge=0.0)
    assert linear.FEATURES == 34


def test_the_report_says_that_mouths_of_training_photos_are_kept(fitted):
    method, state = fitted
    assert method.notes(state) == (
        "the run holds the insides of 1 mouths from training photos, and shows them where lips part",
    )
