"""StyleGAN2 and a landmark detector, to project with, on a folder of faces, or on the built-in faces.

  python train.py --config configs/ffhq.py --config.data.dir=FACES         256 pixels, for a GPU (StyleGAN2: days)
  python train.py --config configs/ffhq.py:cpu --config.data.dir=FACES     64 pixels, narrow, for a CPU (hours)
  python train.py --config configs/ffhq.py:quick --workdir runs/project    64 pixels, built-in faces, minutes on a CPU

FACES: FFHQ, any folder of photos (each face is turned and cropped by eyes and mouth, as FFHQ's were), or what
lgan_jax.data.prepare made. Then python -m lgan_jax.apps.project --workdir RUN makes a picture with the look of one
photo and the landmarks of another.
What to expect: docs/results.md.
"""

from ml_collections import ConfigDict

from lgan_jax import experiment
from lgan_jax.optimizers import cosine, section

ADAM = {"name": "adam", "b1": 0.0, "b2": 0.99}  # Karras et al.'s


def get_config(variants: str = "") -> ConfigDict:
    """The config at 256 pixels, changed by each of the variants, which commas separate, in this order."""
    return experiment.chosen(paper(), variants, [cpu, quick])


def paper() -> dict:
    """256 pixels, 25 million images: the values of `paper256` in NVIDIA's stylegan2-ada-pytorch.

    That is batch 64, half of the channels, γ 1, learning rate 0.0025, an average of 20,000 images without ramp-up, 8
    mapping layers, and minibatch statistics over groups of 8. There a group lies on one of eight GPUs; here it is of
    the whole batch, so that it does not change with the number of devices. (NVIDIA's "auto" has groups of 4 at most,
    and an average that ramps up: 0.05.)
    """
    return {
        "method": "projection",
        "phases": ("detector", "stylegan2"),
        "eval_images": 16,
        "data": {
            **{"name": "celeba", "size": 256, "scheme": "ibug68", "crops": "ffhq"},
            "built_in": {
                **{"identities": 1, "variation": "wild"},
                **{"train_per_identity": 20_000, "validation_per_identity": 16, "test_per_identity": 500},
            },
        },
        "detector": {
            **{"steps": 60_000, "batch_size": 16, "width": 256, "depth": 4},
            "optimizer": {"name": "adam", "learning_rate": 2.5e-4, "schedule": "step", "factor": 0.1, "every": 20_000},
        },
        "stylegan2": {
            **{"steps": 390_000, "batch_size": 64, "optimizer": {**ADAM, "learning_rate": 2.5e-3}},
            **{
                "channel_base": 16_384,
                "channel_max": 512,
                "z_dim": 512,
                "w_dim": 512,
                "mapping_layers": 8,
                "num_fp16_res": 4,
            },
            **{
                "mirror": True,
                "style_mixing_prob": 0.9,
                "r1_gamma": 1.0,
                "d_reg_interval": 16,
                "pl_weight": 2.0,
                "g_reg_interval": 4,
            },
            **{"mbstd_group_size": 8, "ema_nimg": 20_000, "ema_rampup": None},
        },
        "loop": {"log_every": 100, "eval_every": 2500, "images_every": 2500, "checkpoint_every": 2500},
    }


def cpu(config: ConfigDict) -> None:
    """64 pixels on a CPU with narrow networks, on the user's photos."""
    small(config)
    config.stylegan2.update({"steps": 60_000})
    config.detector.update({"steps": 1500})
    config.loop.update({"log_every": 200, "eval_every": 2000, "images_every": 2000, "checkpoint_every": 1000})


def quick(config: ConfigDict) -> None:
    """64 pixels in minutes on two cores, on 1,000 built-in faces of four people.

    Small maps have half of the channels that `cpu` gives them: a third more pictures in the same time.
    """
    small(config)
    config.data.built_in.update({"identities": 4, "train_per_identity": 250})
    config.data.built_in.update({"validation_per_identity": 8, "test_per_identity": 24})
    config.data.built_in.update({"variation": "video", "acts": "posed", "turning": 0.25, "aligned": True})
    config.eval_images = 2
    config.detector.augmentation = {  # as little as the faces that it will see differ from those that it trains on
        **{"rotation": 5.0, "scale": 0.05, "shift": 0.02},
        **{"brightness": 0.08, "contrast": 0.15, "saturation": 0.15},
    }
    config.detector.update({"steps": 450})
    config.stylegan2.update({"steps": 16_000, "channel_max": 64, "mirror": False})
    config.loop.update({"log_every": 200, "eval_every": 2000, "images_every": 1000, "checkpoint_every": 1000})
    config.evaluation = {"pairs": 6}


def small(config: ConfigDict) -> None:
    """What is the same in both.

    Small batches and a high learning rate, since in a short time the number and size of updates count; noise would stay
    as grain. The relativistic loss, with less of R1, and no mixing: the same pictures teach more of everybody's
    expressions.
    """
    config.data.size = 64
    config.detector.update({"batch_size": 16, "width": 48, "depth": 3})
    config.detector.optimizer = cosine(6e-3)
    config.stylegan2.update(
        {"batch_size": 4, "channel_base": 1024, "channel_max": 128, "z_dim": 64, "w_dim": 64, "mapping_layers": 4}
    )
    config.stylegan2.update(
        {"mbstd_group_size": 4, "num_fp16_res": 0, "use_noise": False, "ema_nimg": 2000, "ema_rampup": 0.05}
    )
    config.stylegan2.update({"loss": "relativistic", "r1_gamma": 2.0, "style_mixing_prob": 0.0, "g_reg_interval": 0})
    config.stylegan2.optimizer = section(**ADAM, learning_rate=0.012, schedule="linear", constant_fraction=0.5)
