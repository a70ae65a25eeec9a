"""A very small DFT-Net, the phases around it, and batches for them."""

import jax.numpy as jnp
import numpy as np
from small_methods import ADAM

from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.dftnet.editor import EditorPhase
from lgan_jax.methods.dftnet.flow import FlowPhase
from lgan_jax.methods.dftnet.regressor import RegressorPhase

FACES = FaceInfo(IBUG68, 64, ("Ada", "Grace", "Mary"))
SMALL = {
    "steps": 20,
    "batch_size": 10,
    "optimizer": ADAM,
    "discriminator_optimizer": ADAM,
    "width": 3,
    "blocks": 1,
    "discriminator_width": 2,
}


def small_editor(phase=EditorPhase, info=FACES, dtype=jnp.float32, earlier=None, **options):
    return phase(phase.Settings(**{**SMALL, **options}), info, dtype, earlier or {})


def small_regressor(info=FACES, **options):
    settings = RegressorPhase.Settings(
        **{"steps": 20, "batch_size": 6, "optimizer": ADAM, "discriminator_width": 2, **options}
    )
    return RegressorPhase(settings, info, jnp.float32, {})


def small_flow(earlier, phase=FlowPhase, **options):
    fields = ("steps", "optimizer", "width", "blocks", "discriminator_width")
    settings = phase.Settings(**{**{name: SMALL[name] for name in fields}, "batch_size": 3, **options})
    return phase(settings, FACES, jnp.float32, earlier)


def faces(count, size=64):
    """Images with smooth noise, and action units."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(-1, 1, (count, 8, 8, 3))
    image = coarse.repeat(size // 8, 1).repeat(size // 8, 2)
    return {"image": image.astype(np.float32), "action_units": rng.uniform(0, 1, (count, 17)).astype(np.float32)}
