"""Evaluates a trained run: a table on the terminal, report/metrics.json and report/index.html in its folder.

  python evaluate.py --workdir runs/quick
  python evaluate.py --workdir runs/ck_plus --compare runs/ck_plus-without_labels --augmentation --factors 0,1,5
  python evaluate.py --workdir runs/made --augmentation --config configs/celeba.py --config.evaluation.claim.seeds=1

What is given here changes a field of the run's `evaluation` of the same name; methods have different ones. With
--config all of them come from another config first: the run's own may be older than some of them.
"""

import pathlib
import sys

from absl import flags
from ml_collections import config_flags

from lgan_jax import cli

WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.")
CONFIG = config_flags.DEFINE_config_file("config", help_string="Config whose `evaluation` replaces the run's own.")
FRAMES = flags.DEFINE_integer("frames", None, "Test pictures (of each person); the config says how many.")
INCEPTION = flags.DEFINE_string(
    "inception", None, "pytorch-fid's file of Inception weights, for FID (expression, began, projection)."
)
COMPARE = flags.DEFINE_list("compare", None, "Folders of other runs of the same data, for Table 7 (expression).")
AUGMENTATION = flags.DEFINE_bool(
    "augmentation",
    None,
    "Whether to train others on made faces, too, which takes long: Table 4 (expression), landmark detectors (began).",
)
FACTORS = cli.define_integers("factors", "Of Table 4: how many times as many made faces as real ones, as 0,1,5.")
SEEDS = flags.DEFINE_integer("seeds", None, "Of Table 4: trainings for each factor.")
DATA = flags.DEFINE_string("data_dir", None, "Where the run's data set lies now, if it was moved.")


def main() -> int:
    cli.parse_flags(sys.argv, required=["workdir"])
    from lgan_jax import experiment  # after the flags: --help need not wait for JAX

    given = (FRAMES, INCEPTION, COMPARE, AUGMENTATION, FACTORS, SEEDS)
    overrides = CONFIG.value.evaluation.to_dict() if CONFIG.value else {}
    overrides |= {flag.name: flag.value for flag in given if flag.value is not None}
    experiment.evaluate(pathlib.Path(WORKDIR.value), overrides, DATA.value)
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main, "evaluate.py"))
