"""`python -m lgan_jax.apps.invert`, the same as `lgan-jax invert`."""

import sys

from lgan_jax import cli
from lgan_jax.apps.invert import command

if __name__ == "__main__":
    sys.exit(cli.run(command.main, "invert"))
