"""`python -m lgan_jax.apps.express`, the same as `lgan-jax express`."""

import sys

from lgan_jax import cli
from lgan_jax.apps.express import command

if __name__ == "__main__":
    sys.exit(cli.run(command.main, "express"))
