"""`python -m lgan_jax COMMAND`, the same as the console script `lgan-jax COMMAND`; without a command it lists them."""

import sys

from lgan_jax import commands

if __name__ == "__main__":
    sys.exit(commands.main())
