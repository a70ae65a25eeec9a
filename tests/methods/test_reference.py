import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_methods import ADAM, INFO, compiled, largest_change, on_two_devices, one_of_each, small_detector, started

from lgan_jax.core import Finished
from lgan_jax.methods.landmarkgan.joint import JointPhase
from lgan_jax.methods.landmarkgan.model import LandmarkGAN
from lgan_jax.methods.landmarkgan.reference import ReferencePhase
from lgan_jax.methods.landmarkgan.settings import Settings

OPTIONS = {"form": "reference", "references": 3, "steps": 4, "batch_size": 2, "width": 0.125, "discriminator_width": 2}


@pytest.fixture(scope="module")
def detector():
    method = small_detector(INFO)
    return {"detector": Finished(method, started(method, one_of_each(INFO, 2)))}


@pytest.fixture(scope="module")
def method(detector):
    settings = Settings(**OPTIONS, optimizer=ADAM, discriminator_optimizer=ADAM, constraint=4.0)
    return ReferencePhase(settings, INFO, jnp.float32, detector)


@pytest.fixture(scope="module")
def state(method):
    return started(method, one_of_each(INFO, 5))


@pytest.fixture(scope="module")
def stepped(method, state):
    return compiled(method, variant=True)(state, one_of_each(INFO, 2), jax.random.key(1))


def test_the_form_chooses_the_class(method, detector):
    assert isinstance(method, ReferencePhase)
    with pytest.raises(ValueError, match="joint trains converter and generator together"):
        JointPhase(JointPhase.Settings(form="reference"), INFO, jnp.float32, detector)


def test_training_begins_with_the_blended_frames(method, state):
    batch = one_of_each(INFO, 5)
    landmarks = jnp.asarray(batch["landmarks"][:2, 1])
    image = jax.jit(method.synthesize)(state, landmarks, 1)
    assert image.shape == (2, 32, 32, 3)
    wanted = batch["image"][0, 1, 16, 16]
    np.testing.assert_allclose(image[:, 16, 16], np.stack([wanted] * 2), atol=0.08)


def test_a_step_trains_generator_and_discriminator_and_nothing_else(state, stepped):
    after, metrics = stepped
    assert {"l2i", "i2l", "adversarial", "feature_matching", "total", "discriminator", "skipped"} == set(metrics)
    assert all(np.isfinite(value) for value in metrics.values())
    assert max(largest_change(state.params["generators"], after.params["generators"])) > 0
    assert max(largest_change(state.params["discriminators"], after.params["discriminators"])) > 0
    for fixed in ("shape", "references", "detector"):
        assert max(largest_change(state.frozen[fixed], after.frozen[fixed])) == 0


def test_two_devices_do_what_one_does(method, state, stepped):
    after, _ = on_two_devices(method, state, one_of_each(INFO, 2), jax.random.key(1))
    for one, two in zip(jax.tree.leaves(stepped[0].params), jax.tree.leaves(after.params), strict=True):
        np.testing.assert_allclose(two[0], one, atol=2e-4)


def test_a_frame_is_not_its_own_reference(method, state):
    """The example's own frame is left out while training, whatever subset is drawn."""
    own = state.frozen["references"].landmarks[:, :1].swapaxes(0, 1)  # a frame of everybody that is in the references
    keys = jax.random.split(jax.random.key(3), 4)
    references = state.frozen["references"]
    others = references.replace(images=references.images.at[:, 0].set(255))
    recolored = state.replace(frozen={**state.frozen, "references": others})

    @jax.jit
    def generated(state, key):
        def on_a_device(own):  # the keys of examples are drawn under the axis of devices
            return method.generated(state.params["generators"], state, own, own, key)[0]

        return jax.vmap(on_a_device, axis_name="data")(own[None])[0]

    for key in keys:
        np.testing.assert_allclose(generated(state, key), generated(recolored, key), atol=1e-5)


def test_one_more_person_from_frames_alone(method, state):
    model = LandmarkGAN(INFO, method, state)
    batch = one_of_each(INFO, 4)
    images, landmarks = -batch["image"][:, 0], batch["landmarks"][:, 0]
    more = model.with_person("Mary", images, landmarks)
    assert more.info.identities == ("Ada", "Grace", "Mary")
    made = more.synthesize(landmarks[:2], "Mary")
    np.testing.assert_allclose(made[:, 16, 16], images[:2, 16, 16], atol=0.08)
    as_they_are = more.synthesize(landmarks[:2], "Ada", convert=False)  # conversion itself learns of her shape
    np.testing.assert_allclose(as_they_are, model.synthesize(landmarks[:2], "Ada", convert=False), atol=1e-5)
    with pytest.raises(ValueError, match="already"):
        more.with_person("Mary", images, landmarks)
    with pytest.raises(ValueError, match="expected"):
        model.with_person("Mary", images[:, :16], landmarks)
    with pytest.raises(ValueError, match="k at least 2"):
        model.with_person("Mary", images[:1], landmarks[:1])


def test_constraint_can_be_left_out(method, state):
    model = LandmarkGAN(INFO, method, state)
    far = np.clip(one_of_each(INFO, 1)["landmarks"][:, 0] + np.linspace(-0.3, 0.3, 68)[None, :, None], 0, 1)
    assert model.constraint == 4.0
    free, held = (model.convert(far.astype(np.float32), "Grace", constrain) for constrain in (False, True))
    assert np.abs(free - held).max() > 1e-3


def test_settings_are_checked():
    for field, value in {"references": 1, "constraint": -1.0, "detector_share": 1.5}.items():
        with pytest.raises(ValueError, match=field):
            Settings(**{field: value})
