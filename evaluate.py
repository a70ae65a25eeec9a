"""Evaluates a trained run: a table on the terminal, report/metrics.json and report/index.html in its folder.

python evaluate.py --workdir runs/quick
"""

import pathlib
import sys

from absl import flags

from lgan_jax import cli

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.")
FRAMES = flags.DEFINE_integer("frames", None, "Held-out pictures (of each person); the config says how many.")
DATA = flags.DEFINE_string("data_dir", None, "Where the run's data set lies now, if it was moved.")


def main() -> int:
    cli.parse_flags(sys.argv, required=["workdir"])
    from lgan_jax import experiment  # after the flags: --help need not wait for JAX

    overrides = {} if FRAMES.value is None else {"frames": FRAMES.value}
    experiment.evaluate(pathlib.Path(WORKDIR.value), overrides, DATA.value)
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main, "evaluate.py"))
