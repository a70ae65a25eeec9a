"""The built-in faces: drawn from a parametric head in three dimensions, with exact landmarks."""

from lgan_jax.data.synthetic.people import Person, person
from lgan_jax.data.synthetic.render import draw
from lgan_jax.data.synthetic.sampling import Background, Light, Sample, Settings, names, sample

__all__ = [
    "Background",
    "Light",
    "Person",
    "Sample",
    "Settings",
    "draw",
    "names",
    "person",
    "sample",
]
