"""Evaluates a trained run; the same as `lgan-jax evaluate`.

python evaluate.py --workdir runs/quick
python evaluate.py --workdir runs/ck_plus --compare runs/ck_plus-without_labels --augmentation --factors 0,1,5
python evaluate.py --workdir runs/began --augmentation --config configs/celeba.py --config.evaluation.study.seeds=1
"""

import sys

from lgan_jax import cli
from lgan_jax.commands import evaluate

if __name__ == "__main__":
    sys.exit(cli.run(evaluate.main, "evaluate.py"))
