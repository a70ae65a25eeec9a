"""`python -m lgan_jax.apps.strip_references`, the same as `lgan-jax strip_references`."""

import sys

from lgan_jax import cli
from lgan_jax.apps.strip_references import command

if __name__ == "__main__":
    sys.exit(cli.run(command.main, "strip_references"))
