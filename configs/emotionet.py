"""DFT-Net (Wang et al., "Disentanglement of face deformation and texture synthesis for expression editing", ICIP 2019).

  python train.py --config configs/emotionet.py --config.data.dir=FACES    the paper's schedule, 128 pixels, for a GPU
  python train.py --config configs/emotionet.py:cpu --config.data.dir=OUT  own people, 128 pixels, narrow, for a CPU
  python train.py --config configs/emotionet.py:quick --workdir runs/quick 64 pixels, built-in faces, minutes on a CPU

FACES: pictures with OpenFace's output; OUT: what lgan_jax.data.prepare wrote. `baseline` after a comma
(emotionet.py:quick,baseline) trains GANimation with the same budget as well, and the evaluation compares the two.
What to expect: docs/results.md.
"""

from ml_collections import ConfigDict

from lgan_jax import experiment

DECAY = {"schedule": "linear", "hold": 2 / 3}  # the last 10 of 30 epochs


def get_config(variants: str = "") -> ConfigDict:
    """The config of the paper, changed by each of the variants, which commas separate."""
    return experiment.chosen(paper(), variants, VARIANTS)


def paper() -> ConfigDict:
    """30 epochs of 200,000 pictures, 25 in each of the discriminator's updates, five of those in a step."""
    return ConfigDict(
        {
            "method": "dftnet",
            "phases": ("editor",),
            "precision": "auto",
            "held_out": 8,
            "data": {
                "name": "emotionet",
                "dir": "",
                "size": 128,
                "scheme": "ibug68",
                "cache": "",
                "built_in": {
                    "identities": 1,
                    "train_per_identity": 20_000,
                    "test_per_identity": 500,
                    "seed": 0,
                    "variation": "wild",
                    "acts": "usual",
                },
            },
            "editor": {
                "steps": 48_000,
                "batch_size": 125,
                "discriminator_updates": 5,
                "generator_after": 0.0,
                "augmentation": {
                    "rotation": 0.0,
                    "scale": 0.0,
                    "shift": 0.0,
                    "mirror": False,
                    "brightness": 0.0,
                    "contrast": 0.0,
                    "saturation": 0.0,
                    "blur": 0.0,
                },
                "perturbation": 0.0,
                "optimizer": adam(1e-4),
                "discriminator_optimizer": adam(1e-4),
                "regressor_optimizer": adam(1e-4),
                "width": 64,
                "blocks": 6,
                "discriminator_width": 64,
                "weights": {
                    "adversarial": 1.0,
                    "gradient_penalty": 10.0,
                    "condition": 4000 / 25,
                    "cycle": 10.0,
                    "total_variation": 1e-4,
                    "attention": 1.0,
                },
            },
            "loop": {
                "seed": 0,
                "log_every": 100,
                "eval_every": 1000,
                "pictures_every": 1000,
                "checkpoint_every": 1000,
                "keep": 2,
            },
        }
    )


def cpu(config: ConfigDict) -> None:
    """128 pixels on a CPU: narrow networks, one update of the discriminator a step, higher rates."""
    config.editor.update({"steps": 6000, "batch_size": 8, "discriminator_updates": 1})
    config.editor.update({"width": 16, "blocks": 3, "discriminator_width": 16, "average": 0.99})
    config.editor.update({"optimizer": adam(5e-4), "discriminator_optimizer": adam(5e-4)})
    config.loop.update({"log_every": 50, "eval_every": 500, "pictures_every": 500, "checkpoint_every": 250})


def quick(config: ConfigDict) -> None:
    """64 pixels in minutes on two cores; no built-in person is in two pictures, so those held out are unseen.

    Of so few faces D_C learns nothing in the time that the generator takes. So it learns alone for most of the steps,
    which are short, from pictures that are changed each time; what it then sees, the generator learns to make.
    """
    config.data.size = 64
    config.data.built_in.update({"train_per_identity": 3000, "test_per_identity": 200, "acts": "varied"})
    config.editor.update({"steps": 4200, "batch_size": 16, "discriminator_updates": 2, "generator_after": 0.8})
    config.editor.update({"width": 12, "blocks": 2, "discriminator_width": 16, "average": 0.98})
    config.editor.augmentation.update({"mirror": True, "shift": 0.03})
    config.editor.augmentation.update({"brightness": 0.1, "contrast": 0.2, "saturation": 0.5, "blur": 0.5})
    config.editor.perturbation = 0.8
    config.editor.regressor_optimizer = adam(1e-3, b1=0.9)
    config.editor.optimizer = adam(1e-3, b1=0.9, warmup=50)
    config.editor.discriminator_optimizer = adam(3e-4, warmup=100)
    config.editor.weights.update({"total_variation": 5e-3, "attention": 3.0})
    config.loop.update({"log_every": 50, "eval_every": 500, "pictures_every": 500, "checkpoint_every": 500})
    config.evaluation = {"frames": 48, "identity_frames": 32, "single_frames": 12}


def baseline(config: ConfigDict) -> None:
    """GANimation after the editor, with the same settings."""
    config.baseline = config.editor.copy_and_resolve_references()
    config.phases = ("editor", "baseline")


def adam(learning_rate: float, **changes: float) -> ConfigDict:
    """The paper's Adam, with some fields changed."""
    return ConfigDict({"name": "adam", "learning_rate": learning_rate, "b1": 0.5, "b2": 0.999, **DECAY, **changes})


VARIANTS = {"cpu": cpu, "quick": quick, "baseline": baseline}  # in the order in which they are applied
