"""LandmarkGAN on CelebV, or on the built-in faces: renders a person seen in training from anyone's landmarks.

Paper: Sun et al., "LandmarkGAN: Synthesizing faces from landmarks", Pattern Recognition Letters, 2022.

  python train.py --config configs/celebv.py --config.data.dir=CELEBV      the paper's schedule, 256 pixels
  python train.py --config configs/celebv.py:gpu --config.data.dir=CELEBV  the same in larger batches, for one H200
  python train.py --config configs/celebv.py:cpu --config.data.dir=OUT     128 pixels, smaller networks, for a CPU
  python train.py --config configs/celebv.py:quick --workdir runs/quick    64 pixels, built-in faces, minutes on a CPU

OUT: what lgan_jax.data.prepare wrote. After a comma `paper_generator` is the paper's form of converter and generator at
these sizes, and `joint` trains both together, as Eq. 1 and 6 of the paper (celebv.py:quick,joint).

Cost, two cores: quick 5 minutes; quick,paper_generator 8 minutes; cpu about half an hour; the paper's size has not been
measured.
Result, 120 pairs of quick: LMK by dlib 0.109 (0.118 for the warped nearest frame), SSIM 0.810 (0.782);
quick,paper_generator: 0.181 and 0.760.
"""

from ml_collections import ConfigDict

from configs.wflw import detector, small_detector, weak_augmentation
from lgan_jax import experiment
from lgan_jax.optimizers import adam_cosine

CLIP = 10.0  # the norm of an identity's gradients is below it in most steps, above where the rate is too high


def get_config(variants: str = "") -> ConfigDict:
    """The config of the paper, changed by each of the variants, which commas separate, in this order."""
    return experiment.chosen(paper(), variants, [gpu, cpu, quick, paper_generator, joint])


def paper() -> dict:
    """256 pixels, the schedule of the paper, what it leaves open from its authors' published code."""
    return {
        "method": "landmarkgan",
        "phases": ("detector", "converter", "generator"),
        "data": {
            "name": "celebv",
            "size": 256,
            "scheme": "wflw98",
            "split": "time",
            "built_in": {
                "identities": 5,
                "train_per_identity": 1000,
                "test_per_identity": 100,
                "variation": "video",
            },
        },
        "detector": detector(),
        "converter": {
            "steps": 45_000,
            "batch_size": 4,
            "optimizer": rmsprop(1e-5),
        },
        "generator": {
            "steps": 400_000,
            "batch_size": 1,
            "adversarial": "hinge",
            "optimizer": rmsprop(6e-5) | {"schedule": step_decay()},
            "discriminator_optimizer": rmsprop(6e-5) | {"schedule": step_decay()},
        },
        "loop": experiment.every(2500),
        "evaluation": {
            "frames": 32,
        },
    }


def rmsprop(learning_rate: float) -> dict:
    """The published code's."""
    return {
        "name": "rmsprop",
        "learning_rate": learning_rate,
        "decay": 0.99,
        "eps": 1e-8,
        "weight_decay": 1e-4,
    }


def step_decay() -> dict:
    """The published code's, of generator and discriminator."""
    return {
        "name": "step",
        "factor": 0.9,
        "every": 2500,
        "final_learning_rate": 1e-5,
    }


def gpu(config: ConfigDict) -> None:
    """For one H200, which a batch of 1 leaves idle: see `experiment.scaled`."""
    experiment.scaled(config, "detector", 64)
    experiment.scaled(config, "converter", 64)
    experiment.scaled(config, "generator", 16)
    config.loop.update(experiment.every(500))


def cpu(config: ConfigDict) -> None:
    """128 pixels on a CPU: narrow networks, Adam at rates that suit them, and the generator's reference form."""
    config.data.size = 128
    config.data.built_in.train_per_identity = 600
    config.data.built_in.test_per_identity = 60
    small_detector(config, 1500, 3e-3, batch_size=8)
    config.loop.update(experiment.every(500, log=50, checkpoint=250))
    reference(config)


def quick(config: ConfigDict) -> None:
    """64 pixels in minutes on two cores: see `cpu`, smaller still."""
    config.data.size = 64
    config.data.built_in.train_per_identity = 240
    config.data.built_in.test_per_identity = 24
    small_detector(config, 450, 6e-3)
    config.detector.augmentation = weak_augmentation()
    config.loop.update(experiment.every(200, log=50))
    config.evaluation.frames = 6
    reference(config)
    config.generator.weights.i2l = 10.0  # drawn faces: with 0.1 the refiner moves points that the warp had put in place


def reference(config: ConfigDict) -> None:
    """The generator's form for short recordings: frames warped to the landmarks, and one network to refine them."""
    config.phases = ("detector", "generator")
    config.generator.form = "reference"
    config.generator.references = 128
    config.generator.constraint = 5.0
    config.generator.steps = 400
    config.generator.width = 0.25
    config.generator.discriminator_width = 8
    config.generator.adversarial_start = 0.7
    config.generator.ema_decay = 0.99
    config.generator.optimizer = adam_cosine(1e-3)
    config.generator.discriminator_optimizer = adam_cosine(2e-4)
    config.generator.weights = {"features": 4.0}


def paper_generator(config: ConfigDict) -> None:
    """The paper's form of converter and generator in the place of `reference`, at the size of `cpu` or `quick`."""
    config.phases = ("detector", "converter", "generator")
    config.generator.form = "landmarks"
    config.generator.constraint = 0.0
    if config.data.size < 256:
        config.generator.weights.i2l = 0.1
        config.converter.batch_size = 16
        config.converter.width = 256
        config.generator.discriminator_width = 4
        config.generator.discriminator_optimizer.clip = CLIP
    if config.data.size == 64:
        config.converter.steps = 800
        config.converter.start = "shift"  # the built-in people all show the same expressions and poses
        config.converter.optimizer = adam_cosine(2e-4)
        config.generator.steps = 1600
        config.generator.batch_size = 2
        config.generator.width = 0.1875
        config.generator.adversarial_start = 0.86
        config.generator.ema_decay = 0.98
        config.generator.optimizer = adam_cosine(4e-3, clip=CLIP)
    elif config.data.size == 128:
        config.converter.steps = 5000
        config.converter.optimizer = adam_cosine(1e-3)
        config.generator.steps = 4000
        config.generator.ema_decay = 0.995
        config.generator.optimizer = adam_cosine(1e-3, clip=CLIP)
        config.generator.weights.features = 0.0


def joint(config: ConfigDict) -> None:
    """One joint phase in the place of converter and generator, in the paper's form."""
    if config.generator.get("form", "landmarks") != "landmarks":
        paper_generator(config)
    config.phases = ("detector", "joint")
    config.joint = config.generator.to_dict()
    for name in ("optimizer", "width", "start"):
        if name in config.converter:
            config.joint[f"converter_{name}"] = config.converter[name]
    del config.converter, config.generator
