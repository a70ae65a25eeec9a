"""BEGAN, its inverse and a landmark generator on CelebA, or on the built-in faces: samples faces with landmarks.

Paper: Bazrafkan et al., "Face synthesis with landmark points from generative adversarial networks and inverse latent
space mapping", 2018.

  python train.py --config configs/celeba.py --config.data.dir=CELEBA       the paper's sizes, 128 pixels
  python train.py --config configs/celeba.py:gpu --config.data.dir=CELEBA   the same in larger batches, for one H200
  python train.py --config configs/celeba.py:cpu --config.data.dir=PHOTOS   64 pixels, narrow, own photos, for a CPU
  python train.py --config configs/celeba.py:quick --workdir runs/began    64 pixels, built-in faces, minutes on a CPU

CELEBA: the folder with img_align_celeba; PHOTOS: any folder of photos. Faces are cut out by a detector's box, as in the
paper (OpenCV's own, which is gone from OpenCV 5, with --config.data.crops=cascade; =aligned turns them upright). Then
python -m lgan_jax.apps.synthesize makes a data set, and python evaluate.py --workdir WORKDIR --augmentation tests what
landmark detectors learn from generated faces beside real ones.

Cost: quick, 10 minutes on two cores; the paper's size has not been measured.
Result of quick: error of landmarks on test images 0.55 % of the distance between the outer eye corners (linear map of z
0.64 %); Fréchet distance 0.27, near training images 0.06; one generated face in four shows severe artifacts.
"""

from ml_collections import ConfigDict

from lgan_jax import experiment
from lgan_jax.optimizers import Cosine, adam, adam_cosine


def get_config(variants: str = "") -> ConfigDict:
    """The config of the paper, changed by each of the variants, which commas separate, in this order."""
    return experiment.chosen(paper(), variants, [gpu, cpu, quick])


def paper() -> dict:
    """128 pixels, 64 channels, what the paper says of the training; how long BEGAN took it does not say."""
    return {
        "method": "began",
        "phases": ("began", "inverse", "landmark_generator"),
        "eval_images": 64,
        "data": {
            "name": "celeba",
            "size": 128,
            "scheme": "inner49",
            "crops": "box",
            "built_in": experiment.strangers(20_000, validation=64),
        },
        "began": {
            "steps": 200_000,
            "batch_size": 16,
            "width": 64,
            "skips": False,
            "norm": "squared",
            "gamma": 0.5,
            "lambda_k": 0.001,
            "k": 0.0,
            "ema_decay": 0.999,
            "optimizer": adam(1e-4, b1=0.5),
        },
        "inverse": {
            "batch_size": 256,
            "search": {
                "steps": 500,
                "tolerance": 0.01,
                "patience": 50,
                "slots": 128,
                "every": 25,
            },
        },
        "landmark_generator": {
            "steps": 500_000,
            "batch_size": 16,
            "optimizer": adam(3e-4),
        },
        "loop": experiment.every(2500),
    }


def gpu(config: ConfigDict) -> None:
    """For one H200: see `experiment.scaled`. A step of the landmark generator is all overhead in batches of 16."""
    experiment.scaled(config, "began", 64)
    experiment.scaled(config, "landmark_generator", 1024)
    config.inverse.search.slots = 256
    config.loop.update(experiment.every(500))


def cpu(config: ConfigDict) -> None:
    """64 pixels on a CPU with narrow networks, on the user's photos."""
    small(config)
    config.autoencoder.steps = 40_000
    config.began.steps = 2000
    config.landmark_generator.steps = 20_000
    config.loop.update(experiment.every(1000, checkpoint=500))


def quick(config: ConfigDict) -> None:
    """64 pixels in minutes on two cores: see `cpu`, on 1,000 built-in faces of eight people."""
    small(config)
    config.data.built_in.identities = 8
    config.data.built_in.train_per_identity = 125
    config.data.built_in.validation_per_identity = 4
    config.data.built_in.test_per_identity = 12
    config.data.built_in.variation = "video"
    config.data.built_in.turning = 0.5
    config.data.built_in.aligned = True
    config.eval_images = 4
    config.autoencoder.steps = 12_000
    config.autoencoder.features = 4.0
    config.began.steps = 600
    config.landmark_generator.steps = 30_000
    config.landmark_generator.optimizer.weight_decay = 1e-6
    config.evaluation = {
        "study": {
            "seeds": 2,
            "steps": 350,
            "width": 48,
        },
    }
    config.loop.update(experiment.every(500))


def small(config: ConfigDict) -> None:
    """What is the same in both: D is trained before there is a generator, which starts as its decoder.

    Batches are small, since what counts in a short time is the number of updates. At γ = 1, a k that follows soon, and
    few steps of BEGAN, generated faces keep most of the variety that they start with: with more they grow darker and
    alike, which D finds easy. Berthelot et al.'s norm and skip connections make them sharper soon.
    """
    config.data.size = 64
    config.eval_images = 32
    config.phases = ("autoencoder", *config.phases)
    config.autoencoder = networks() | {"optimizer": adam_cosine(4e-3)}
    config.began.update(networks())
    config.began.gamma = 1.0
    config.began.lambda_k = 0.1
    config.began.k = 0.05
    config.began.ema_decay = 0.99
    config.began.optimizer = adam_cosine(3e-4, b1=0.5, final_learning_rate=3e-5)
    config.inverse.batch_size = 64
    config.inverse.search.steps = 80
    config.inverse.search.tolerance = 0.02
    config.inverse.search.patience = 10
    config.inverse.search.slots = 8
    config.inverse.search.every = 10
    # Noise and a decay, since it overfits few images.
    config.landmark_generator.batch_size = 64
    config.landmark_generator.noise = 0.2
    config.landmark_generator.optimizer = adam(2e-3, weight_decay=3e-6, schedule=Cosine())


def networks() -> dict:
    """What auto-encoder and BEGAN have in common in a small run."""
    return {
        "batch_size": 4,
        "width": 12,
        "skips": True,
        "norm": "absolute",
    }
