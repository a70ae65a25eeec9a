"""`python -m lgan_jax.apps.edit`, the same as `lgan-jax edit`."""

import sys

from lgan_jax import cli
from lgan_jax.apps.edit import command

if __name__ == "__main__":
    sys.exit(cli.run(command.main, "edit"))
