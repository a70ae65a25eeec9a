"""A projector that is easily seen through, photos for it, and what a command line asks of it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import small_videos

from lgan_jax.apps.project import aligned, projection
from lgan_jax.faces import Faces
from lgan_jax.methods.projection.networks import Generator
from lgan_jax.methods.projection.projector import Projector, Seer, Settings
from lgan_jax.ops.heatmaps import gaussians

SIZE = 64
FRAMING = aligned.Framing(Faces(), SIZE)
BY_FINDER = FRAMING._replace(points=np.arange(68))  # landmarks are those of the face that was found
ONE = (small_videos.face(1)[0], 60, 16)


def photo(path, *faces, width=320, height=256):
    return small_videos.write_photo(path, small_videos.scene(*faces, width=width, height=height))


class Plain(Generator):
    """Four squares of colors that depend on the style, and a little of the noise."""

    def setup(self):
        self.colours = nn.Dense(12)

    def map(self, z, labels=None, truncation=1.0, truncation_cutoff=None):
        return z

    def draw(self, styles, noise=None):
        squares = jnp.tanh(self.colours(styles)).reshape(-1, 2, 2, 3)
        image = jnp.repeat(jnp.repeat(squares, self.size // 2, 1), self.size // 2, 2)
        return image if noise is None else image + 0.01 * noise[-1][..., None]


def built(height=1.0):
    """The projector: the look is a sixteenth of the image, landmarks are sure of one place where it is bright."""
    module = Plain((1, 1, 1, 1, 1), latent=5, style=5)
    variables = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 5)))

    def look(_, image):
        return [image.reshape(len(image), 4, 16, 4, 16, 3).mean((2, 4))]

    def maps(strength, image):
        bright = image.mean((1, 2, 3)).reshape(-1, 1, 1, 1)
        return strength * (0.9 + 0.1 * bright) * gaussians(jnp.asarray(small_videos.face(1)[1]), 16, 16, 2.0)[None]

    seers = Seer(look, jnp.float32(0)), Seer(maps, jnp.float32(height))
    settings = Settings(steps=3, samples=20, every=1, slots=2)
    return Projector((module, variables), *seers, np.ones(68, np.float32), settings)


def options(folder, **changes):
    files = {name: folder / name for name in ("network", "fan", "vgg")}
    given = {"look": folder / "a.jpg", "landmarks": folder / "b.jpg", "out": folder / "out", "steps": 3, **changes}
    return projection.Options(**files, **given)
