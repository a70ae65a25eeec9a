"""Fine-tuning beside training from scratch: validation metrics after the same steps, on the same data and seeds.

  python -m studies.finetuning --config wflw:quick --folder FOLDER
  python -m studies.finetuning --config emotionet:quick --folder FOLDER --config.pairs.steps=1000

Three runs of the config on built-in faces lie in FOLDER afterwards: `base`, of people of another seed; `scratch`; and
`finetuned`, which starts from `base` and is else equal to `scratch`. Prints, for each phase and evaluation during
training, the metric of both (lower is better), and the step at which the fine-tuned run has reached the last value of
the run from scratch. The same command resumes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ml_collections import ConfigDict

from lgan_jax import experiment
from lgan_jax.commands import configs
from lgan_jax.training.logs import metrics_file

_METRICS = {  # of a phase's evaluation
    **{"detector": "nme", "converter": "reconstruction", "generator": "l1", "joint": "l1"},
    **{"regressor": "action_units", "pairs": "l1", "baseline_pairs": "l1", "synthesizer": "l1", "autoencoder": "real"},
}


def main() -> int:
    """Trains the three runs and prints a table for each phase; returns the exit status of a run that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="a config, with fields as --config.FIELD=VALUE")
    parser.add_argument("--folder", required=True, type=Path, help="for the three runs")
    given, fields = parser.parse_known_args()
    config = configs.overridden(configs.load(given.config), fields, ["--config", "--folder"])
    other = ConfigDict(config)
    other.data.built_in.seed += 1
    finetuned = ConfigDict(config)
    finetuned.init_from = str(given.folder / "base")
    for name, each in {"base": other, "scratch": config, "finetuned": finetuned}.items():
        if status := experiment.train(each.to_dict(), given.folder / name):
            return status
    for phase in config.phases:
        if phase in _METRICS:
            scratch, tuned = (_history(given.folder / name, phase) for name in ("scratch", "finetuned"))
            print(table(f"{phase} {_METRICS[phase]}", scratch, tuned))
    return 0


def table(title: str, scratch: dict[int, float], tuned: dict[int, float]) -> str:
    """Both metrics by step, and when the fine-tuned run has reached the last value of the run from scratch."""
    last_step, last = list(scratch.items())[-1]
    reached = next((step for step, value in tuned.items() if value <= last), None)
    lines = [f"{title:>24}  from scratch  fine-tuned"]
    lines += [f"{step:>24,}  {value:12.4f}  {tuned[step]:10.4f}" for step, value in scratch.items()]
    when = "not reached by the fine-tuned run" if reached is None else f"reached after {reached:,} steps of fine-tuning"
    return "\n".join([*lines, f"{last:.4f}, from scratch after {last_step:,} steps: {when}", ""])


def _history(run: Path, phase: str) -> dict[int, float]:
    lines = metrics_file.read(run / "metrics.jsonl")
    return {
        line["step"]: line["values"][_METRICS[phase]]
        for line in lines
        if (line["phase"], line["kind"]) == (phase, "eval")
    }


if __name__ == "__main__":
    sys.exit(main())
