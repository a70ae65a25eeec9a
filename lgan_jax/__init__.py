"""Making and editing faces from landmarks, expressions and latents, in JAX and Flax.

`load(run)` gives the model of a trained run.
"""

from __future__ import annotations

import importlib.metadata
import sys
import typing

if typing.TYPE_CHECKING:
    import pathlib

__version__ = importlib.metadata.version("lgan_jax")


if sys.argv[:1] == ["-m"] and any(argument.startswith(__name__) for argument in sys.orig_argv):
    # Python imports the packages around `lgan_jax.data.prepare.__main__` before the command can answer for it.
    from lgan_jax import cli

    sys.excepthook = cli.explain


def load(folder: str | pathlib.Path) -> typing.Any:
    """The model of a trained run, such as `methods.landmarkgan.model.LandmarkGAN`; see `experiment.load`."""
    from lgan_jax import experiment  # only here, so that the package imports in no time

    return experiment.load(folder)
