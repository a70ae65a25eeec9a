"""StyleGAN2 and a landmark detector, to project with, on FFHQ, any folder of faces, or the built-in faces.

Paper: Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020; the projection is the
published tool "Facial landmark projection without training".

  python train.py --config configs/ffhq.py --config.data.dir=FACES         256 pixels, for a GPU (StyleGAN2: days)
  python train.py --config configs/ffhq.py:gpu --config.data.dir=FACES     the same, for one H200
  python train.py --config configs/ffhq.py:cpu --config.data.dir=FACES     64 pixels, narrow, for a CPU (hours)
  python train.py --config configs/ffhq.py:quick --workdir runs/project    64 pixels, built-in faces, minutes on a CPU

After a comma `ada` is adaptive augmentation, for few images (ffhq.py:cpu,ada).

FACES: FFHQ, any folder of photos (each face is turned and cropped by eyes and mouth, as FFHQ's were), or what
lgan_jax.data.prepare made. Then python -m lgan_jax.apps.project --workdir RUN searches the latent space for the
appearance of one photo with the landmarks of another.

Cost: quick, 21 minutes on two cores; cpu, 41 to 45 images a second there; 256 pixels have not been measured.
Result of quick: Fréchet distance of generated faces 0.091 (training images 0.013); by dlib, landmarks are 2.8 % from
the ground truth at a landmark weight of 0.1 (4.1 % without).
"""

from ml_collections import ConfigDict

from configs.wflw import detector, small_detector, weak_augmentation
from lgan_jax import experiment
from lgan_jax.optimizers import adam


def get_config(variants: str = "") -> ConfigDict:
    """The config at 256 pixels, changed by each of the variants, which commas separate, in this order."""
    return experiment.chosen(paper(), variants, [gpu, cpu, quick, ada])


def paper() -> dict:
    """256 pixels, 25 million images: the values of `paper256` in NVIDIA's stylegan2-ada-pytorch.

    There a group of the minibatch standard deviation lies on one of eight GPUs; here it is of the whole batch, so that
    it does not change with the number of devices. (NVIDIA's "auto" has groups of 4 at most, and an EMA that ramps up:
    0.05.)
    """
    return {
        "method": "projection",
        "phases": ("detector", "stylegan2"),
        "eval_images": 16,
        "data": {
            "name": "celeba",
            "size": 256,
            "scheme": "ibug68",
            "crops": "ffhq",
            "built_in": experiment.strangers(20_000, validation=16),
        },
        "detector": detector(),
        "stylegan2": {
            "steps": 390_000,
            "batch_size": 64,
            "mbstd_group_size": 8,
            "channel_base": 16_384,  # half of the channels
            "channel_max": 512,
            "z_dim": 512,
            "w_dim": 512,
            "mapping_layers": 8,
            "num_fp16_res": 4,
            "mirror": True,
            "style_mixing_prob": 0.9,
            "r1_gamma": 1.0,
            "d_reg_interval": 16,
            "pl_weight": 2.0,
            "g_reg_interval": 4,
            "ema_nimg": 20_000,
            "ema_rampup": None,
            "optimizer": adam(2.5e-3, b1=0.0, b2=0.99),
        },
        "loop": experiment.every(2500),
    }


def gpu(config: ConfigDict) -> None:
    """For one H200: StyleGAN2's batch of 64, for which its values were found, fits and stays."""
    experiment.scaled(config, "detector", 64)


def cpu(config: ConfigDict) -> None:
    """64 pixels on a CPU with narrow networks, on the user's photos."""
    small(config)
    config.stylegan2.steps = 60_000
    config.detector.steps = 1500
    config.loop.update(experiment.every(2000, log=200, checkpoint=1000))


def quick(config: ConfigDict) -> None:
    """64 pixels in minutes on two cores, on 1,000 built-in faces of four people.

    Small maps have half of the channels that `cpu` gives them: a third more images in the same time.
    """
    small(config)
    config.data.built_in.identities = 4
    config.data.built_in.train_per_identity = 250
    config.data.built_in.validation_per_identity = 8
    config.data.built_in.test_per_identity = 24
    config.data.built_in.variation = "video"
    config.data.built_in.acts = "posed"
    config.data.built_in.turning = 0.25
    config.data.built_in.aligned = True
    config.eval_images = 2
    config.detector.augmentation = weak_augmentation()
    config.stylegan2.steps = 16_000
    config.stylegan2.channel_max = 64
    config.stylegan2.mirror = False
    config.evaluation = {"pairs": 6}
    config.loop.update(experiment.every(2000, log=200, images=1000, checkpoint=1000))


def ada(config: ConfigDict) -> None:
    """Adaptive discriminator augmentation: for less than some tens of thousands of images."""
    config.stylegan2.augment = "ada"


def small(config: ConfigDict) -> None:
    """What is the same in both.

    Small batches and a high learning rate, since in a short time the number and size of updates count; noise would stay
    as grain. The relativistic loss, with less of R1, and no style mixing: the same images teach more of each identity's
    expressions.
    """
    config.data.size = 64
    small_detector(config, 450, 6e-3)
    config.stylegan2.batch_size = 4
    config.stylegan2.mbstd_group_size = 4
    config.stylegan2.channel_base = 1024
    config.stylegan2.channel_max = 128
    config.stylegan2.z_dim = 64
    config.stylegan2.w_dim = 64
    config.stylegan2.mapping_layers = 4
    config.stylegan2.num_fp16_res = 0
    config.stylegan2.use_noise = False
    config.stylegan2.loss = "relativistic"
    config.stylegan2.style_mixing_prob = 0.0
    config.stylegan2.r1_gamma = 2.0
    config.stylegan2.g_reg_interval = 0
    config.stylegan2.ema_nimg = 2000
    config.stylegan2.ema_rampup = 0.05
    config.stylegan2.optimizer.learning_rate = 0.012
    config.stylegan2.optimizer.schedule = {
        "name": "linear",
        "constant_fraction": 0.5,
    }
