"""A LandmarkGAN of the form "reference" without networks: what converts landmarks, and takes people in."""

import jax.numpy as jnp
import numpy as np

from lgan_jax.core import FaceInfo, Finished
from lgan_jax.faces.align import MEAN_FACE
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.landmarkgan import health, references, shape_model
from lgan_jax.methods.landmarkgan.model import LandmarkGAN
from lgan_jax.methods.landmarkgan.reference import ReferencePhase
from lgan_jax.methods.landmarkgan.settings import Settings
from lgan_jax.training.train_state import TrainState

SIZE = 64
FACE = (0.5 + (MEAN_FACE - 0.5) * 0.86).astype(np.float32)
COUNT = 5  # reference frames of each person


class _Detector:
    def weights(self, state):
        return {}

    def heatmaps(self, weights, image):
        return jnp.full((len(image), 3, 5, IBUG68.count), 1 / 15)


def landmarks(frames, seed=0):
    """Of one person, who differs from others by the seed, in some expressions."""
    rng = np.random.default_rng(seed)
    shape = FACE + rng.normal(0, 0.01, FACE.shape)
    return (shape + rng.normal(0, 0.005, (frames, *FACE.shape))).astype(np.float32)


def images(frames, value=0.25):
    return np.full((frames, SIZE, SIZE, 3), value, np.float32)


def phase(names=("ada", "bo", "cy"), **settings):
    info = FaceInfo(IBUG68, SIZE, tuple(names))
    settings = Settings(form="reference", references=COUNT, width=0.02, discriminator_width=2, **settings)
    return ReferencePhase(settings, info, np.float32, {"detector": Finished(_Detector(), None)})


def state(names=("ada", "bo", "cy"), frames=20):
    each = jnp.stack([landmarks(frames, seed) for seed in range(len(names))], 1)
    shown = jnp.stack([images(frames, 0.1 * i) for i in range(len(names))], 1)
    known = references.chosen(shown, each, COUNT, IBUG68, lambda image: jnp.full((len(image), 68, 2), 0.5), 0.0)
    params = {"converter": None, "generators": {}, "discriminators": {}}
    watch = health.watch(shown, {"a": jnp.zeros(1)}, {})
    frozen = {"detector": {}, "shape": shape_model.fit(each), "references": known}
    return TrainState(np.int32(0), params, {}, {"generators": {}}, {"watch": watch}, frozen)


def model(names=("ada", "bo", "cy"), **settings):
    method = phase(names, **settings)
    return LandmarkGAN(method.faces, method, state(names))
