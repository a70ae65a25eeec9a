"""Evaluates a trained run: a table on the terminal, report/metrics.json and report/index.html in its folder.

  python evaluate.py --workdir runs/quick
  python evaluate.py --workdir runs/ck_plus --compare runs/ck_plus-without_labels --augmentation --factors 0,1,5

What is given here changes a field of the config's `evaluation` of the same name; methods have different ones.
"""

import pathlib
import sys

from absl import flags

from lgan_jax import cli

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.")
FRAMES = flags.DEFINE_integer("frames", None, "Held-out pictures (of each person); the config says how many.")
INCEPTION = flags.DEFINE_string(
    "inception", None, "pytorch-fid's file of Inception weights, for FID (expression, began, projection)."
)
COMPARE = flags.DEFINE_list("compare", None, "Folders of other runs of the same data, for Table 7 (expression).")
AUGMENTATION = flags.DEFINE_bool("augmentation", None, "Whether to make Table 4, which takes long (expression).")
FACTORS = cli.define_integers("factors", "Of Table 4: how many times as many made faces as real ones, as 0,1,5.")
SEEDS = flags.DEFINE_integer("seeds", None, "Of Table 4: trainings for each factor.")
DATA = flags.DEFINE_string("data_dir", None, "Where the run's data set lies now, if it was moved.")


def main() -> int:
    cli.parse_flags(sys.argv, required=["workdir"])
    from lgan_jax import experiment  # after the flags: --help need not wait for JAX

    given = (FRAMES, INCEPTION, COMPARE, AUGMENTATION, FACTORS, SEEDS)
    overrides = {flag.name: flag.value for flag in given if flag.value is not None}
    experiment.evaluate(pathlib.Path(WORKDIR.value), overrides, DATA.value)
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main, "evaluate.py"))
