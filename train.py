"""Trains what a config describes, on the devices of this machine.

  python train.py --config configs/celebv.py --workdir runs/celebv
  python train.py --config configs/celebv.py:quick --config.seed=1

Started again with the same command, a run continues where it was.
"""

import contextlib
import pathlib
import sys

from absl import flags
from ml_collections import config_flags

from lgan_jax import cli

CONFIG = config_flags.DEFINE_config_file("config", help_string="File of configs/, with ':variant' if it has one.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; runs/<name of the config> by default.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "host:port of process 0, where several train together.")
PROCESSES = flags.DEFINE_integer("processes", None, "How many processes train together.")
PROCESS = flags.DEFINE_integer("process", None, "Which of them this is, from 0.")


def main() -> int:
    cli.parse_flags(sys.argv, required=["config"])
    cli.require_together("coordinator", "processes", "process")
    from lgan_jax import experiment  # after the flags: --help need not wait for JAX
    from lgan_jax.training import parallel

    name = pathlib.Path(config_flags.get_config_filename(flags.FLAGS["config"]).replace(":", "-").replace(".py", ""))
    workdir = pathlib.Path(WORKDIR.value or pathlib.Path("runs") / name.name)
    with contextlib.ExitStack() as stack:
        if COORDINATOR.value is not None:
            stack.enter_context(parallel.joined(COORDINATOR.value, PROCESSES.value, PROCESS.value))
        return experiment.train(CONFIG.value.to_dict(), workdir)


if __name__ == "__main__":
    sys.exit(cli.run(main, "train.py"))
