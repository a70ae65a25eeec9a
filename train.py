"""Trains what a config describes, on the devices of this machine; the same as `lgan-jax train`.

  python train.py --config configs/celebv.py --workdir runs/celebv
  python train.py --config configs/celebv.py:quick --config.loop.seed=1

Started again with the same command, a run continues where it was.
"""

import sys

from lgan_jax import cli
from lgan_jax.commands import train

if __name__ == "__main__":
    sys.exit(cli.run(train.main, "train.py"))
