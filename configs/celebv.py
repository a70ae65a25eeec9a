"""LandmarkGAN (Sun et al., "LandmarkGAN: Synthesizing faces from landmarks", 2022) on CelebV, or on the built-in faces.

  python train.py --config configs/celebv.py --config.data.dir=CELEBV      the paper's schedule, 256 pixels, for a GPU
  python train.py --config configs/celebv.py:cpu --config.data.dir=OUT     128 pixels, smaller networks, for a CPU
  python train.py --config configs/celebv.py:quick --workdir runs/quick    64 pixels, built-in faces, minutes on a CPU

`joint` after a comma (celebv.py:quick,joint) trains converter and generator together, as Eq. 1 and 6 of the paper.
What to expect: docs/results.md.
"""

from ml_collections import ConfigDict

from lgan_jax import experiment
from lgan_jax.optimizers import cosine

RMSPROP = {"name": "rmsprop", "decay": 0.99, "eps": 1e-8, "weight_decay": 1e-4}
CLIP = 10.0  # the norm of an identity's gradients is below it in most steps, above where the rate is too high


def get_config(variants: str = "") -> ConfigDict:
    """The config of the paper, changed by each of the variants, which commas separate, in this order."""
    return experiment.chosen(paper(), variants, [cpu, quick, paper_generator, joint])


def paper() -> dict:
    """256 pixels, the schedule of the paper, what it leaves open from its authors' published code."""
    falling = {"learning_rate": 6e-5, "schedule": "step", "factor": 0.9, "every": 2500, "final_learning_rate": 1e-5}
    return {
        "method": "landmarkgan",
        "phases": ("detector", "converter", "generator"),
        "data": {
            **{"name": "celebv", "size": 256, "scheme": "wflw98"},
            "built_in": {"identities": 5, "train_per_identity": 1000, "test_per_identity": 100, "variation": "video"},
        },
        "detector": {
            **{"steps": 60_000, "batch_size": 16, "width": 256, "depth": 4},
            "optimizer": {"name": "adam", "learning_rate": 2.5e-4, "schedule": "step", "factor": 0.1, "every": 20_000},
        },
        "converter": {"steps": 45_000, "batch_size": 4, "optimizer": {**RMSPROP, "learning_rate": 1e-5}},
        "generator": {
            **{"steps": 400_000, "batch_size": 1, "adversarial": "hinge"},
            "optimizer": {**RMSPROP, **falling},
            "discriminator_optimizer": {**RMSPROP, **falling},
        },
        "loop": {"log_every": 100, "eval_every": 2500, "images_every": 2500, "checkpoint_every": 2500},
        "evaluation": {"frames": 32},
    }


def cpu(config: ConfigDict) -> None:
    """128 pixels on a CPU: narrow networks, Adam at rates that suit them, and a generator that looks at frames."""
    config.data.size = 128
    config.data.built_in.update({"train_per_identity": 600, "test_per_identity": 60})
    config.detector.update({"steps": 1500, "batch_size": 8, "width": 48, "depth": 3, "optimizer": adam(3e-3)})
    config.loop.update({"log_every": 50, "eval_every": 500, "images_every": 500, "checkpoint_every": 250})
    reference(config, steps=400, references=128)


def quick(config: ConfigDict) -> None:
    """64 pixels in minutes on two cores: see `cpu`, smaller still."""
    config.data.size = 64
    config.data.built_in.update({"train_per_identity": 240, "test_per_identity": 24})
    config.detector.update({"steps": 450, "batch_size": 16, "width": 48, "depth": 3, "optimizer": adam(6e-3)})
    config.detector.augmentation = {  # as little as the faces that it will see differ from those that it trains on
        **{"rotation": 5.0, "scale": 0.05, "shift": 0.02},
        **{"brightness": 0.08, "contrast": 0.15, "saturation": 0.15},
    }
    config.loop.update({"log_every": 50, "eval_every": 200, "images_every": 200, "checkpoint_every": 200})
    config.evaluation.frames = 6
    reference(config, steps=400, references=128)


def reference(config: ConfigDict, steps: int, references: int) -> None:
    """The generator's form for short recordings: frames warped to the landmarks, and one network to refine them."""
    config.phases = ("detector", "generator")
    config.generator.update({"form": "reference", "references": references, "steps": steps, "width": 0.25})
    config.generator.update({"constraint": 5.0, "discriminator_width": 8, "adversarial_start": 0.7, "ema_decay": 0.99})
    config.generator.update({"optimizer": adam(1e-3), "discriminator_optimizer": adam(2e-4)})
    config.generator.weights = {"features": 4.0}


def paper_generator(config: ConfigDict) -> None:
    """The paper's form of converter and generator in the place of `reference`, at the size of `cpu` or `quick`."""
    config.phases = ("detector", "converter", "generator")
    config.generator.update({"form": "landmarks", "constraint": 0.0})
    if config.data.size == 64:
        config.converter.update({"steps": 800, "batch_size": 16, "width": 256, "optimizer": adam(2e-4)})
        config.converter.start = "shift"  # the built-in people all show the same expressions and poses
        config.generator.update({"steps": 1600, "batch_size": 2, "width": 0.1875, "discriminator_width": 4})
        config.generator.update({"ema_decay": 0.98, "adversarial_start": 0.86, "optimizer": adam(4e-3, clip=CLIP)})
        config.generator.discriminator_optimizer.clip = CLIP
        config.generator.weights = {"features": 4.0}
    elif config.data.size == 128:
        config.converter.update({"steps": 5000, "batch_size": 16, "width": 256, "optimizer": adam(1e-3)})
        config.generator.update({"steps": 4000, "width": 0.25, "discriminator_width": 4, "ema_decay": 0.995})
        config.generator.update({"optimizer": adam(1e-3, clip=CLIP), "weights": {"features": 0.0}})
        config.generator.discriminator_optimizer.clip = CLIP


def joint(config: ConfigDict) -> None:
    """One joint phase in the place of converter and generator, in the paper's form."""
    if config.generator.get("form", "landmarks") != "landmarks":
        paper_generator(config)
    shared = [name for name in ("optimizer", "width", "start") if name in config.converter]
    config.joint = {**config.generator, **{f"converter_{name}": config.converter[name] for name in shared}}
    config.phases = ("detector", "joint")
    del config.converter, config.generator


def adam(learning_rate: float, **more: float) -> dict:
    """In the place of RMSProp, and without its decay."""
    return cosine(learning_rate, weight_decay=0.0, **more)
