"""The built-in faces: drawn from a parametric head in three dimensions, with exact landmarks."""

from lgan_jax.data.synthetic.framing import aligned
from lgan_jax.data.synthetic.parameters import Background, Light, Sample
from lgan_jax.data.synthetic.people import Person, person
from lgan_jax.data.synthetic.render import draw, landmarks
from lgan_jax.data.synthetic.sampling import Settings, names, sample

__all__ = [
    "Background",
    "Light",
    "Person",
    "Sample",
    "Settings",
    "aligned",
    "draw",
    "landmarks",
    "names",
    "person",
    "sample",
]
