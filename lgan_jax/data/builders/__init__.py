"""TFDS builders, one for each data set in the layout of its owners."""

from lgan_jax.data.builders.celeba import CelebA, Crops
from lgan_jax.data.builders.celebv import CelebV
from lgan_jax.data.builders.ck_plus import CKPlus
from lgan_jax.data.builders.emotionet import EmotioNet
from lgan_jax.data.builders.estimated import Estimated
from lgan_jax.data.builders.generated import Generated
from lgan_jax.data.builders.oulu_casia import OuluCASIA
from lgan_jax.data.builders.synthetic import Synthetic
from lgan_jax.data.builders.wflw import WFLW

__all__ = [
    "WFLW",
    "CKPlus",
    "CelebA",
    "CelebV",
    "Crops",
    "EmotioNet",
    "Estimated",
    "Generated",
    "OuluCASIA",
    "Synthetic",
]
