"""DFT-Net on EmotioNet, or on the built-in faces: another expression, given as action units, for the face in a photo.

Paper: Wang et al., "DFT-Net: Disentanglement of face deformation and texture synthesis for expression editing", ICIP
2019.

  python train.py --config configs/emotionet.py --config.data.dir=FACES    the paper's schedule, 128 pixels
  python train.py --config configs/emotionet.py:gpu --config.data.dir=FACES   the same in larger batches, for one H200
  python train.py --config configs/emotionet.py:cpu --config.data.dir=OUT  own people, 128 pixels, narrow, for a CPU
  python train.py --config configs/emotionet.py:quick --workdir runs/express 64 pixels, built-in faces, minutes on a CPU

FACES: images with OpenFace's output; OUT: what lgan_jax.data.prepare wrote of people's videos, in which pairs of frames
are found that differ in expression alone. Where there are none, cpu,unpaired. `baseline` after a comma
(emotionet.py:quick,baseline) trains GANimation with the same budget as well, and the evaluation compares the two.

Cost: quick, 12 to 15 minutes on two cores; the paper's schedule has not been measured.
Result of quick,baseline, 200 test faces: AU error by landmarks 0.173 (GANimation 0.180, source unchanged 0.219), SSIM
0.966 (0.955, 0.924).
"""

from ml_collections import ConfigDict

from lgan_jax import experiment
from lgan_jax.optimizers import adam_cosine


def get_config(variants: str = "") -> ConfigDict:
    """The config of the paper, changed by each of the variants, which commas separate, in this order."""
    return experiment.chosen(paper(), variants, [gpu, cpu, quick, unpaired, baseline])


def paper() -> dict:
    """30 epochs of 200,000 images, 25 in each of the discriminator's updates, five of those in a step."""
    return {
        "method": "dftnet",
        "phases": ("editor",),
        "data": {
            "name": "emotionet",
            "size": 128,
            "scheme": "ibug68",
            "built_in": experiment.strangers(20_000),
        },
        "editor": {
            "steps": 48_000,
            "batch_size": 125,
            "discriminator_updates": 5,
            "width": 64,
            "blocks": 6,
            "discriminator_width": 64,
            "form": {
                "conditioning": "planes",
                "texture": "plain",
                "attention_bias": 0.0,
                "head_scale": 1.0,
                "upsampling": "transposed",
                "initial_std": 0.02,
            },
            "target_noise": 0.1,
            "ema_decay": 0.0,
            "optimizer": adam(1e-4),
            "discriminator_optimizer": adam(1e-4),
            "weights": {
                "adversarial": 1.0,
                "gradient_penalty": 10.0,
                "condition": 4000 / 25,
                "cycle": 10.0,
                "total_variation": 1e-4,
                "attention": 1.0,
            },
        },
        "loop": experiment.every(1000),
    }


def adam(learning_rate: float) -> dict:
    """The paper's, which falls in epochs 21 to 30."""
    return {
        "name": "adam",
        "learning_rate": learning_rate,
        "b1": 0.5,
        "b2": 0.999,
        "schedule": {
            "name": "linear",
            "constant_fraction": 2 / 3,
        },
    }


def own_form() -> dict:
    """Of the generator, where it must learn in minutes."""
    return {
        "conditioning": "modulation",
        "texture": "residual",
        "attention_bias": 4.0,
        "head_scale": 0.1,
        "upsampling": "even",
        "initial_std": 0.0,
    }


def augmentation() -> dict:
    """Of what D is shown: else it overfits a small data set."""
    return {
        "rotation": 0.0,
        "scale": 0.0,
        "shift": 0.03,
        "mirror": True,
        "brightness": 0.1,
        "contrast": 0.2,
        "saturation": 0.5,
        "blur": 0.3,
    }


def gpu(config: ConfigDict) -> None:
    """For one H200: 100 images in each of the discriminator's updates; see `experiment.scaled`."""
    experiment.scaled(config, "editor", 500)
    config.loop.update(experiment.every(500))


def cpu(config: ConfigDict) -> None:
    """128 pixels on a CPU with narrow networks: D_C, then G from pairs of frames of a person, which need no D_A.

    Frames of a recording never differ in expression alone: the weight of Eq. 10 keeps the texture from painting the
    rest, that of Eq. 9 the flow from folding. Built-in people are in one pair each, so those of the test are unseen.
    """
    from_pairs(config)
    config.regressor.steps = 2000
    config.pairs.steps = 3000
    config.pairs.width = 16
    config.pairs.blocks = 3
    config.pairs.emphasis = 10.0
    config.pairs.weights.attention = 2.0
    config.pairs.weights.total_variation = 1e-3
    config.loop.update(experiment.every(500, log=50, checkpoint=250))


def quick(config: ConfigDict) -> None:
    """64 pixels in minutes on two cores, else as on a CPU."""
    config.data.size = 64
    from_pairs(config)
    config.regressor.steps = 1000
    config.pairs.steps = 5000
    config.pairs.width = 12
    config.pairs.blocks = 2
    config.evaluation = {
        "frames": 48,
        "identity_frames": 32,
        "single_frames": 12,
    }
    config.loop.update(experiment.every(250, log=50))


def from_pairs(config: ConfigDict) -> None:
    """D_C, then G from pairs."""
    config.data.built_in.train_per_identity = 6000
    config.data.built_in.validation_per_identity = 16
    config.data.built_in.test_per_identity = 200
    config.data.built_in.pairs = True
    config.data.built_in.acts = "varied"
    config.data.built_in.turning = 0.35
    config.phases = ("regressor", "pairs")
    config.regressor = regressor()
    config.pairs = {
        "batch_size": 8,
        "discriminator_width": 16,
        "form": own_form(),
        "augmentation": {"mirror": True},
        "emphasis": 20.0,
        "weights": {"attention": 0.0},
        "ema_decay": 0.98,
        "optimizer": adam_cosine(4e-3),
    }


def regressor() -> dict:
    """D_C on its own before G."""
    return {
        "batch_size": 64,
        "discriminator_width": 16,
        "augmentation": augmentation(),
        "perturbation": 0.5,
        "perturbation_start": 0.65,
        "optimizer": adam_cosine(2e-3),
    }


def unpaired(config: ConfigDict) -> None:
    """For a CPU and a folder of strangers, of whom there are no pairs: D_C first, then the flow alone, then all.

    The weight of Eq. 9 keeps the flow from pleasing D_C with folds, that of Eq. 10 leaves to the texture what pays.
    One update of the discriminator is made for one of G.
    """
    config.phases = ("regressor", "flow", "editor")
    config.regressor = regressor()
    config.regressor.steps = 3000
    config.flow = generator()
    config.flow.steps = 3000
    config.flow.optimizer = adam_cosine(1.5e-3)
    config.editor.update(generator())
    config.editor.steps = 2000
    config.editor.optimizer = adam_cosine(1e-3)
    config.editor.discriminator_updates = 1
    config.editor.discriminator_optimizer = adam(2e-4)


def generator() -> dict:
    """What flow and editor have in common without pairs."""
    return {
        "batch_size": 8,
        "width": 16,
        "blocks": 3,
        "discriminator_width": 16,
        "form": own_form(),
        "ema_decay": 0.98,
        "augmentation": augmentation(),
        "weights": {
            "total_variation": 2e-3,
            "attention": 20.0,
        },
    }


def baseline(config: ConfigDict) -> None:
    """GANimation after DFT-Net: as published in the paper's form, else with DFT-Net's settings.

    It has no flow, so it takes that phase's steps as well.
    """
    published = config.phases == ("editor",)
    if "pairs" in config.phases:
        config.baseline_pairs = config.pairs.copy_and_resolve_references()
        config.phases = (*config.phases, "baseline_pairs")
    if "editor" in config.phases:
        config.baseline = config.editor.copy_and_resolve_references()
        config.baseline.steps = sum(config[name].steps for name in config.phases if name in ("flow", "editor"))
        config.phases = (*config.phases, "baseline")
    if published:
        config.baseline.losses = "ganimation"
        config.baseline.weights.attention = 0.1
        config.baseline.weights.smoothness = 25 * 1e-5
