"""A differentiable landmark detector (hourglass and DSNT) on WFLW, as LandmarkGAN trains its own.

Paper: Nibali et al., "Numerical coordinate regression with convolutional neural networks", arXiv 1801.07372, 2018.

  python train.py --config configs/wflw.py --config.data.dir=WFLW     60,000 steps at 256 pixels
  python train.py --config configs/wflw.py:gpu --config.data.dir=WFLW 15,000 in larger batches, for one H200
  python train.py --config configs/wflw.py:quick                      64 pixels, built-in faces, minutes on a CPU

A LandmarkGAN takes it over with --config configs/celebv.py --config.detector_run=FOLDER (same size, same landmarks).

Cost: quick, minutes on two cores; the full size has not been measured.
Result: NME by the distance of the outer eye corners, failure rate and AUC at 0.10, for each attribute of WFLW; no
figures of WFLW yet.
"""

from ml_collections import ConfigDict

from lgan_jax import experiment
from lgan_jax.optimizers import Step, adam, adam_cosine


def get_config(variants: str = "") -> ConfigDict:
    """The full config, changed by each of the variants, which commas separate, in this order."""
    return experiment.chosen(full(), variants, [gpu, quick])


def full() -> dict:
    """256 pixels, 98 landmarks, one hourglass of depth 4."""
    return {
        "method": "detector",
        "phases": ("detector",),
        "eval_images": 64,
        "data": {
            "name": "wflw",
            "size": 256,
            "scheme": "wflw98",
            "built_in": experiment.strangers(5000, validation=64),
        },
        "detector": detector() | {"augmentation": strong_augmentation()},
        "loop": experiment.every(2500),
        "evaluation": {
            "frames": 2500,
        },
    }


def detector() -> dict:
    """The full size, which other methods train too."""
    return {
        "steps": 60_000,
        "batch_size": 16,
        "width": 256,
        "depth": 4,
        "regulariser": "js",
        "regulariser_weight": 1.0,
        "sigma": 1.0,
        "optimizer": adam(2.5e-4, schedule=Step(factor=0.1, every=20_000)),
    }


def small_detector(config: ConfigDict, steps: int, learning_rate: float, batch_size: int = 16, width: int = 48) -> None:
    """For little time: a hourglass of depth 3."""
    config.detector.steps = steps
    config.detector.batch_size = batch_size
    config.detector.width = width
    config.detector.depth = 3
    config.detector.optimizer = adam_cosine(learning_rate)


def strong_augmentation() -> dict:
    """For photos of strangers."""
    return {
        "rotation": 30.0,
        "scale": 0.2,
        "shift": 0.06,
        "mirror": True,
        "blur": 1.0,
    }


def weak_augmentation() -> dict:
    """For a detector whose test faces differ little from its training faces."""
    return {
        "rotation": 5.0,
        "scale": 0.05,
        "shift": 0.02,
        "brightness": 0.08,
        "contrast": 0.15,
        "saturation": 0.15,
    }


def gpu(config: ConfigDict) -> None:
    """For one H200: see `experiment.scaled`."""
    experiment.scaled(config, "detector", 64)
    config.loop.update(experiment.every(500))


def quick(config: ConfigDict) -> None:
    """64 pixels and a quarter of the channels, on 1,000 built-in faces."""
    config.data.size = 64
    config.data.built_in.train_per_identity = 1000
    config.data.built_in.test_per_identity = 100
    small_detector(config, 1500, 2e-3, width=64)
    config.loop.update(experiment.every(500, log=50))
