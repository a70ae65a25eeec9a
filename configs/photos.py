"""DFT-Net on photographs: another expression, given as action units, for the face of a stranger in a photo.

Paper: Wang et al., "DFT-Net: Disentanglement of face deformation and texture synthesis for expression editing", ICIP
2019. Its network, trained otherwise: from pairs of photos of one person, each target brought over its source.

  python train.py --config configs/photos.py --config.data.dir=PHOTOS,VIDEOS,built_in        256 pixels, for a GPU
  python train.py --config configs/photos.py:cpu --config.data.dir=PHOTOS,VIDEOS,built_in    128 pixels, two cores
  python train.py --config configs/photos.py:linear --config.data.dir=PHOTOS,VIDEOS          no generator, two cores

PHOTOS and VIDEOS: what lgan_jax.data.prepare wrote, with --landmarks face_landmarker --action-units blendshapes, of two
photos of each person or more (neutral, smiling) and of recordings of people who talk. The built-in faces, drawn in
pairs that differ in expression alone, show what those lack: raised brows, closed eyes, wide open mouths. `baseline`
after a comma (photos.py:cpu,baseline) trains GANimation with the same settings and budget as well.

Result of linear on 20 people of the London set that no fit has seen (studies/smile_on_strangers.py): mouth error 0.019,
SSIM 0.698, l1 0.052 (the others' mean smile, warped: 0.033, 0.680, 0.066). The generators have not been measured.
"""

from ml_collections import ConfigDict

from configs.emotionet import own_form
from lgan_jax import action_units, experiment
from lgan_jax.optimizers import adam_cosine


def get_config(variants: str = "") -> ConfigDict:
    """The config for a GPU, changed by each of the variants, which commas separate, in this order."""
    return experiment.chosen(gpu(), variants, [cpu, linear, baseline])


def gpu() -> dict:
    """256 pixels: D_C, then G from registered pairs."""
    return {
        "method": "dftnet",
        "phases": ("regressor", "registered_pairs"),
        "data": {
            "name": "emotionet",
            "size": 256,
            "scheme": "ibug68",
            "built_in": {
                "identities": 1,
                "train_per_identity": 6000,
                "validation_per_identity": 16,
                "test_per_identity": 200,
                "pairs": True,
                "acts": "varied",
                "turning": 0.35,
                "aligned": True,
            },
        },
        "regressor": {
            "steps": 20_000,
            "batch_size": 64,
            "discriminator_width": 32,
            "augmentation": augmentation(blur=0.5),
            "optimizer": adam_cosine(1e-3),
        },
        "registered_pairs": {
            "steps": 60_000,
            "batch_size": 32,
            "width": 64,
            "blocks": 6,
            "discriminator_width": 32,
            "form": own_form() | {"texture": "aligned"},
            "augmentation": augmentation(blur=0.0),
            "emphasis": 10.0,
            "weights": {
                "pair": 10.0,
                "pair_texture": 1.0,
                "edges": 10.0,
                "landmarks": 100.0,
                "total_variation": 1e-4,
                "attention": 1.0,
            },
            "ema_decay": 0.999,
            "optimizer": adam_cosine(5e-4),
        },
        "loop": {
            "log_every": 100,
            "eval_every": 1000,
            "images_every": 1000,
            "checkpoint_every": 1000,
        },
    }


def augmentation(blur: float) -> dict:
    """Of few people: both photos of a pair are changed alike."""
    return {
        "rotation": 5.0,
        "scale": 0.1,
        "shift": 0.04,
        "mirror": True,
        "brightness": 0.1,
        "contrast": 0.25,
        "saturation": 0.3,
        "blur": blur,
    }


def cpu(config: ConfigDict) -> None:
    """128 pixels, narrow networks."""
    config.data.size = 128
    config.regressor.steps = 800
    config.regressor.batch_size = 32
    config.regressor.discriminator_width = 16
    config.registered_pairs.steps = 4000
    config.registered_pairs.batch_size = 8
    config.registered_pairs.width = 16
    config.registered_pairs.blocks = 4
    config.registered_pairs.discriminator_width = 16
    config.registered_pairs.weights.total_variation = 1e-3
    config.registered_pairs.ema_decay = 0.99
    config.registered_pairs.optimizer = adam_cosine(3e-3)
    config.loop.log_every = 50
    config.loop.eval_every = 500
    config.loop.images_every = 500
    config.loop.checkpoint_every = 250


def linear(config: ConfigDict) -> None:
    """The linear model of landmarks and colors in place of a generator: 256 pixels, minutes on two cores."""
    config.data.size = 256
    config.phases = ("regressor", "linear")
    config.regressor.steps = 200
    config.regressor.batch_size = 16
    config.regressor.discriminator_width = 8
    config.linear = {
        "steps": 150,
        "batch_size": 8,
        "ridge": 0.006,
        "ridge_texture": 0.06,
        "strength": strength({1: 3.0, 2: 3.0, 26: 2.0, 45: 2.0}),
    }
    config.loop.log_every = 20
    config.loop.eval_every = 200
    config.loop.images_every = 200
    config.loop.checkpoint_every = 50


def strength(factors: dict[int, float]) -> tuple[float, ...]:
    """Of units, by number; 1 for the others. Chosen on validation photos."""
    return tuple(factors.get(number, 1.0) for number in action_units.NUMBERS)


def baseline(config: ConfigDict) -> None:
    """GANimation after DFT-Net, with the same settings."""
    config.baseline_registered_pairs = config.registered_pairs.copy_and_resolve_references()
    config.phases = (*config.phases, "baseline_registered_pairs")
