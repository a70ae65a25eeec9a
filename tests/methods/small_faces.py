"""Very small phases of BEGAN, its inverse and its landmark generator, and batches for them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from small_methods import ADAM, started

from lgan_jax import inversion
from lgan_jax.core import FaceInfo, Finished
from lgan_jax.landmarks import INNER49
from lgan_jax.methods.began.began import BEGANPhase
from lgan_jax.methods.began.inverse import InversePhase
from lgan_jax.methods.began.landmark_generator import LandmarkGeneratorPhase

COUNT = 7  # training pictures
FACES = FaceInfo(INNER49, 16, ("Ada",), COUNT)
SEARCH = inversion.Settings(steps=4, slots=3, every=2, tolerance=0.0)


def small_began(info=FACES, dtype=jnp.float32, **options):
    return BEGANPhase(
        BEGANPhase.Settings(**{"steps": 20, "batch_size": 6, "optimizer": ADAM, "width": 2, **options}), info, dtype, {}
    )


def pictures(count, size=16):
    """Smooth noise, landmarks and the images' numbers."""
    rng = np.random.default_rng(0)
    return {
        "image": rng.uniform(-0.8, 0.8, (count, size // 8, size // 8, 3)).repeat(8, 1).repeat(8, 2).astype(np.float32),
        "landmarks": rng.uniform(0.2, 0.8, (count, 49, 2)).astype(np.float32),
        "index": (np.arange(count) * 3 % COUNT).astype(np.int32),
    }


@functools.cache
def finished():
    """All three phases, begun and not trained further than one search for the z of all images."""
    began = small_began()
    phases = {"began": Finished(began, started(began, pictures(1)))}
    inverse = InversePhase(InversePhase.Settings(batch_size=4, search=SEARCH), FACES, jnp.float32, phases)
    everything = jax.device_put(pictures(7))
    state, _ = inverse.train_step(jax.device_get(started(inverse, pictures(1))), everything, jax.random.key(0))
    phases["inverse"] = Finished(inverse, state)
    landmarks = LandmarkGeneratorPhase(
        LandmarkGeneratorPhase.Settings(steps=20, batch_size=6, optimizer=ADAM), FACES, jnp.float32, phases
    )
    return {**phases, "landmark_generator": Finished(landmarks, started(landmarks, pictures(1)))}
