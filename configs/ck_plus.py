"""Landmark and expression guided synthesis on CK+, or on the built-in faces: any expression and pose from one photo.

Paper: Li et al., "Facial landmarks and expression label guided photorealistic facial expression synthesis", IEEE
Access, 2021.

  python train.py --config configs/ck_plus.py --config.data.dir=CKPLUS      the paper's sizes, 128 pixels
  python train.py --config configs/ck_plus.py:gpu --config.data.dir=CKPLUS  the same in larger batches, for one H200
  python train.py --config configs/ck_plus.py:cpu --config.data.dir=OUT     own people, 128 pixels, narrow, for a CPU
  python train.py --config configs/ck_plus.py:quick --workdir runs/posed    64 pixels, built-in faces, minutes on a CPU

CKPLUS: the folder with cohn-kanade-images and Emotion; OUT: what lgan_jax.data.prepare wrote. After a comma
`without_initialise` and `without_labels` are the ablations of Table 7 (ck_plus.py:quick,without_labels).
The perceptual loss needs torchvision's VGG19 weights: --config.synthesizer.vgg19=vgg19-dcbb9e9d.pth.

Cost: quick, 14 minutes on two cores; the paper's size has not been measured.
Result of quick, 96 couples of test images: PSNR 26.0 dB, SSIM 0.874 (copy of the source: 20.6 dB, 0.686), expression
right in 94 %.
"""

from ml_collections import ConfigDict

from lgan_jax import experiment
from lgan_jax.optimizers import adam, adam_cosine


def get_config(variants: str = "") -> ConfigDict:
    """The config of the paper, changed by each of the variants, which commas separate, in this order."""
    return experiment.chosen(paper("ck_plus"), variants, [gpu, cpu, quick, without_initialise, without_labels])


def paper(name: str) -> dict:
    """128 pixels, what the paper says of the training, for the data set `name`; how long it took it does not say."""
    return {
        "method": "expression",
        "phases": ("synthesizer",),
        "data": {
            "name": name,
            "size": 128,
            "scheme": "ibug68",
            "built_in": {
                "identities": 108,
                "test_identities": 12,
                "train_per_identity": 40,
                "test_per_identity": 24,
                "variation": "video",
                "acts": "posed",
                "turning": 0.35,
            },
        },
        "synthesizer": {
            "steps": 60_000,
            "batch_size": 16,
            "width": 64,
            "units": 9,
            "dropout": 0.5,
            "discriminator_width": 64,
            "initialise": True,
            "labels": True,
            "adversarial": "minimax",
            "weights": {
                "adversarial": 5.0,
                "perceptual": 10.0,
                "pixel": 10.0,
            },
            "optimizer": adam(2e-4, b1=0.5),
            "discriminator_optimizer": adam(2e-4, b1=0.5),
        },
        "loop": experiment.every(1000),
    }


def gpu(config: ConfigDict) -> None:
    """For one H200: see `experiment.scaled`."""
    experiment.scaled(config, "synthesizer", 64)
    config.loop.update(experiment.every(500))


def cpu(config: ConfigDict) -> None:
    """128 pixels on a CPU with narrow networks, and few people. Dropout costs so narrow a network too much."""
    narrow(config)
    config.synthesizer.width = 12
    config.synthesizer.units = 4
    config.synthesizer.augmentation = {  # else it overfits few people
        "rotation": 5.0,
        "scale": 0.1,
        "shift": 0.04,
        "mirror": True,
        "brightness": 0.15,
        "contrast": 0.3,
        "saturation": 0.6,
        "blur": 0.0,
    }
    config.loop.update(experiment.every(500, log=50, checkpoint=250))


def quick(config: ConfigDict) -> None:
    """64 pixels in minutes on two cores, of many built-in people: else as on a CPU."""
    config.data.size = 64
    config.eval_images = 2
    config.data.built_in.identities = 240
    config.data.built_in.test_identities = 24
    config.data.built_in.train_per_identity = 16
    config.data.built_in.aligned = True
    narrow(config)
    config.synthesizer.steps = 4200
    config.synthesizer.width = 16
    config.synthesizer.units = 3
    config.loop.update(experiment.every(250, log=50))


def narrow(config: ConfigDict) -> None:
    """What is the same in both."""
    config.synthesizer.steps = 4000
    config.synthesizer.batch_size = 8
    config.synthesizer.discriminator_width = 12
    config.synthesizer.dropout = 0.0
    config.synthesizer.ema_decay = 0.98
    config.synthesizer.optimizer = adam_cosine(2e-3, b1=0.5)
    config.synthesizer.adversarial_start = 0.85
    config.synthesizer.weights.adversarial = 0.5
    config.synthesizer.weights.features = 4.0


def without_initialise(config: ConfigDict) -> None:
    """Table 7: migration units work on squares of the image's pixels."""
    config.synthesizer.initialise = False


def without_labels(config: ConfigDict) -> None:
    """Table 7: the decoder gets no expression label."""
    config.synthesizer.labels = False
