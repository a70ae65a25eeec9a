"""Landmark and expression guided synthesis on Oulu-CASIA, or on the built-in faces: see ck_plus.py.

Paper: Li et al., "Facial landmarks and expression label guided photorealistic facial expression synthesis", IEEE
Access, 2021.

  python train.py --config configs/oulu_casia.py --config.data.dir=OULU     the paper's sizes, 128 pixels
  python train.py --config configs/oulu_casia.py:quick                      64 pixels, built-in faces, minutes on a CPU
  python evaluate.py --workdir runs/oulu_casia --augmentation               Table 4

OULU: the folder with VL/Strong/P001 …. All variants are those of ck_plus.py.
Cost and result of quick: as of ck_plus.py; Oulu-CASIA has not been measured.
"""

from ml_collections import ConfigDict

from configs.ck_plus import cpu, gpu, paper, quick, without_initialise, without_labels
from lgan_jax import experiment


def get_config(variants: str = "") -> ConfigDict:
    """As `ck_plus.get_config`; 72 of the built-in people train, as in Oulu-CASIA, 8 validate and 8 test."""
    config = paper("oulu_casia")
    config["data"]["built_in"]["identities"] = 72
    config["data"]["built_in"]["test_identities"] = 8
    return experiment.chosen(config, variants, [gpu, cpu, quick, without_initialise, without_labels])
