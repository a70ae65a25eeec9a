"""`python -m lgan_jax.apps.reenact`, the same as `lgan-jax reenact`."""

import sys

from lgan_jax import cli
from lgan_jax.apps.reenact import command

if __name__ == "__main__":
    sys.exit(cli.run(command.main, "reenact"))
