"""`python -m lgan_jax.apps.project`, the same as `lgan-jax project`."""

import sys

from lgan_jax import cli
from lgan_jax.apps.project import command

if __name__ == "__main__":
    sys.exit(cli.run(command.main, "project"))
