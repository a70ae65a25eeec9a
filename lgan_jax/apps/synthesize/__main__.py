"""`python -m lgan_jax.apps.synthesize`, the same as `lgan-jax synthesize`."""

import sys

from lgan_jax import cli
from lgan_jax.apps.synthesize import command

if __name__ == "__main__":
    sys.exit(cli.run(command.main, "synthesize"))
