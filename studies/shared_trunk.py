"""LandmarkGAN with one landmark-only generator for all identities: the third form, as a trial.

  python -m studies.shared_trunk --config celebv:quick --steps 2400 --workdir RUN
  python -m studies.shared_trunk --config celebv:cpu --steps 800 --data.dir OUT --workdir RUN

trains and evaluates `config` with this generator in the place of the config's own; all else (detector, conversion in
closed form, constraint, losses, evaluation) is that of the form "reference". Choose steps that take as long as the
form to compare with; the log has the seconds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lgan_jax import experiment
from lgan_jax.commands import configs
from lgan_jax.core import Batch
from lgan_jax.methods.landmarkgan.generator import Images, Landmarks, LandmarksPhase
from lgan_jax.methods.landmarkgan.networks import SIZES, SLOPE, UpscaleBlock
from lgan_jax.methods.landmarkgan.reference import FORMS, ReferencePhase
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.nn.layers import Conv
from lgan_jax.nn.patch_discriminator import PatchDiscriminator
from lgan_jax.optimizers import adam_cosine
from lgan_jax.training.train_state import TrainState

_CHANNELS = (256, 128, 96, 64, 48, 32)  # after each upscale block


class SharedTrunk(nn.Module):
    """Θ for all identities: as `LandmarkToFace`, with channels scaled and shifted by an embedding of the identity.

    Attributes:
      size: image size in pixels.
      identities: number of identities.
      dtype: dtype of computations; the last convolution is float32.
    """

    size: int
    identities: int
    dtype: Any = None

    @nn.compact
    def __call__(
        self, landmarks: Float[Array, "batch n 2"], person: Int[Array, " batch"]
    ) -> Float[Array, "batch size size 3"]:
        code = nn.Dense(128, name="identity")(jax.nn.one_hot(person, self.identities))
        shape = jnp.concatenate([2 * landmarks.reshape(len(landmarks), -1) - 1, code], -1)
        x = nn.leaky_relu(nn.Dense(512, name="layer_0")(shape), SLOPE)
        x = nn.Dense(16 * 256, name="layer_1")(x).reshape(-1, 4, 4, 256)
        for i in range(SIZES.index(self.size) + 3):
            x = UpscaleBlock(_CHANNELS[i], self.dtype, name=f"upscale_{i}")(x)
            scale, shift = jnp.split(nn.Dense(2 * _CHANNELS[i], name=f"modulation_{i}")(code)[:, None, None], 2, -1)
            x = nn.leaky_relu(Conv(_CHANNELS[i], dtype=self.dtype, name=f"conv_{i}")(x) * (1 + scale) + shift, SLOPE)
        return jnp.tanh(Conv(3, 5, name="head", dtype=jnp.float32)(x))


class SharedTrunkPhase(ReferencePhase):
    """Trains `SharedTrunk` with Eq. 2, 3 and 6 from each identity's own landmarks; no frames are stored."""

    _generator_loss = LandmarksPhase._generator_loss

    def _build(self, settings: Any, faces: Any, dtype: Any) -> None:
        self._generator = SharedTrunk(faces.size, len(faces.identities), dtype)
        self._discriminator = PatchDiscriminator(settings.discriminator_width, dtype)

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`."""
        keys = jax.random.split(key)
        image, landmarks = jnp.asarray(batch["image"]), jnp.asarray(batch["landmarks"])
        person = jnp.zeros(1, int)
        params = {
            "generators": initial_variables(self._generator, keys[0], landmarks[0, :1], person)["params"],
            "discriminators": initial_variables(self._discriminator, keys[1], image[0, :1])["params"],
            "converter": self._converter_params,
        }
        return self._beginning(params, batch)

    def synthesize(self, state: TrainState, landmarks: Array, target: Any) -> Array:
        """See `LandmarksPhase`."""
        person = jnp.full((len(landmarks),), target)
        return self._generator.apply({"params": state.ema["generators"]}, landmarks, person)

    def _rendered(self, state: TrainState, generators: Any, landmarks: Landmarks) -> Images:
        person = jnp.tile(jnp.arange(landmarks.shape[1]), landmarks.shape[0])
        flat = landmarks.reshape(-1, *landmarks.shape[2:])
        generated = self._generator.apply({"params": generators}, flat, person)
        return generated.reshape(*landmarks.shape[:2], *generated.shape[1:])


def main() -> None:
    """Trains and evaluates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="celebv:quick", help="a config of the form 'reference'")
    parser.add_argument("--steps", type=int, required=True, help="steps of the generator phase")
    parser.add_argument("--learning_rate", type=float, default=2e-3)
    parser.add_argument("--batch_size", type=int, default=2)
    parser.add_argument("--data.dir", dest="folder", help="a prepared folder (default: built-in faces)")
    parser.add_argument("--workdir", required=True, type=Path)
    given = parser.parse_args()
    FORMS["landmarks"] = SharedTrunkPhase
    config = configs.load(given.config)
    config.generator.form = "landmarks"
    config.generator.steps = given.steps
    config.generator.batch_size = given.batch_size
    config.generator.optimizer = adam_cosine(given.learning_rate, clip=10.0)
    if given.folder:
        config.data.dir = given.folder
    started = time.monotonic()
    status = experiment.train(config.to_dict(), given.workdir)
    print(f"{time.monotonic() - started:.0f} s, evaluation included")
    raise SystemExit(status)


if __name__ == "__main__":
    main()
