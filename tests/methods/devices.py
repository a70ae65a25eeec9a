"""A training step of every phase of every method by `pmap` on one, two and eight devices.

A program of its own, for XLA_FLAGS=--xla_force_host_platform_device_count=8. It prints a line of JSON for each phase:
its name, and the largest differences from one device of its metrics and of each part of its new state.

python devices.py [METHOD …]
"""

import dataclasses
import functools
import json
import sys

import jax
import numpy as np

from lgan_jax import optimizers
from lgan_jax.core import DATA_AXIS, FaceInfo, Finished, blank_batch
from lgan_jax.faces.align import TEMPLATE
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods import METHODS
from lgan_jax.ops import augment

BATCH = 16  # two a device at least: of one, half, which StyleGAN2 measures path lengths of, would be none
# An update is nearly linear in the gradient: else the sign of a gradient of zero, which is noise, would decide.
OPTIMIZER = optimizers.Adam(learning_rate=0.1, eps=1.0)
GAN = {"width": 1 / 64, "discriminator_width": 2}
EDITOR = {"width": 2, "blocks": 1, "discriminator_width": 2}
# Image sizes, and fields of the phases' settings, of each method in the order of training.
STEPS = {
    "detector": (32, {"detector": {"width": 8, "depth": 1}}),
    "landmarkgan": (
        32,
        {
            "detector": {"width": 8, "depth": 1},
            "converter": {"width": 8},
            "generator": GAN,
            "generator:reference": {**GAN, "form": "reference", "references": 3},
        },
    ),
    "dftnet": (
        64,
        {
            "regressor": {"discriminator_width": 2},
            "linear": {},
            "registered_pairs": {**EDITOR, "augmentation": augment.Settings()},
            "editor": {**EDITOR, "discriminator_updates": 1},
        },
    ),
    "expression": (32, {"synthesizer": {"width": 2, "units": 1, "discriminator_width": 2}}),
    "began": (16, {"autoencoder": {"width": 2}, "began": {"width": 2}, "inverse": {}, "landmark_generator": {}}),
    "projection": (
        8,
        {
            "stylegan2": {
                **{"channel_base": 24, "channel_max": 3, "z_dim": 5, "w_dim": 6, "mapping_layers": 1},
                "mbstd_group_size": 4,
            }
        },
    ),
}


def built(method, name, info, fields, earlier):
    """The phase with these fields of its settings, and `OPTIMIZER` throughout."""
    phase, fields = METHODS[method].phases[name], {**fields, "batch_size": BATCH}
    for field in dataclasses.fields(phase.Settings):
        if "optimizer" in field.name:
            fields[field.name] = OPTIMIZER
    settings = phase.Settings(**fields)
    return phase.variant(settings)(settings, info, np.float32, earlier)


def examples(phase, info):
    """A batch: smooth images, faces' landmarks, any labels."""
    random, batch = np.random.default_rng(0), {}
    for name, blank in blank_batch(phase, info).items():
        shape = (BATCH, *blank.shape[1:])
        if name == "image":
            coarse = random.uniform(-0.8, 0.8, (*shape[:-3], 4, 4, 3)).astype(np.float32)
            batch[name] = np.asarray(jax.image.resize(coarse, shape, "linear"))  # edges make gradients of warps jump
        elif name == "landmarks":
            batch[name] = (TEMPLATE + random.normal(0, 0.01, shape)).astype(np.float32)
        elif blank.dtype == np.int32:
            batch[name] = random.integers(0, BATCH, shape).astype(np.int32)
        else:
            batch[name] = random.uniform(0, 1, shape).astype(np.float32)
    return batch


def first_state(phase, batch):
    """A state at step 0 with perturbed parameters: layers that start at zero stop the gradients behind them."""
    random = np.random.default_rng(1)
    state = jax.device_get(jax.jit(phase.init)(jax.random.key(0), batch))
    noisy = jax.tree.map(lambda x: (x + random.normal(0, 0.02, x.shape)).astype(x.dtype), state.params)
    return state.replace(params=noisy)


def after_a_step(phase, state, batch, devices):
    """The state and the metrics of the first and of the last device, on the host."""
    step = functools.partial(phase.train_step, variant=phase.step_variant(0))
    shares = jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)
    run = jax.pmap(step, DATA_AXIS, in_axes=(None, 0, None), devices=jax.devices()[:devices])
    copies = jax.device_get(run(state, shares, jax.random.key(3)))
    return [jax.tree.map(lambda x, i=i: np.float64(x[i]), copies) for i in {0, devices - 1}]


def difference(expected, found):
    """The largest difference of two trees, relative to each array's largest value, or to a small part of the tree's."""
    pairs = list(zip(*map(jax.tree.leaves, (expected, found)), strict=True))
    assert all(np.isfinite(values).all() for pair in pairs for values in pair)
    scales = [np.abs(values).max(initial=0) for values, _ in pairs]
    least = max(1e-3 * max(scales, default=0), 1e-6)
    return max((np.abs(a - b).max(initial=0) / max(scale, least) for (a, b), scale in zip(pairs, scales)), default=0)


def compared(phase, state, batch):
    """The largest difference from one device, by part of the state and `metrics`."""
    ((one, metrics),) = after_a_step(phase, state, batch, 1)
    found = {}
    for devices in (2, 8):
        for after, of_these in after_a_step(phase, state, batch, devices):
            parts = {"metrics": (metrics, of_these)}
            for field in ("params", "optimizers", "ema", "variables"):
                ours, theirs = getattr(one, field), getattr(after, field)
                parts |= {f"{field}.{name}": (ours[name], theirs[name]) for name in ours}
            for name, pair in parts.items():
                found[name] = max(found.get(name, 0.0), float(difference(*pair)))
    return found


def main(methods):
    assert jax.device_count() == 8
    for method in methods:
        size, phases = STEPS[method]
        info, earlier = FaceInfo(IBUG68, size, ("Ada", "Grace"), BATCH), {}
        for name, fields in phases.items():
            known = name.partition(":")[0]
            phase = built(method, known, info, fields, earlier)
            batch = examples(phase, info)
            state = first_state(phase, batch)
            if phase.host_step:  # the search for z: all of them are found here
                z = np.random.default_rng(2).uniform(-1, 1, state.variables["z"].shape).astype(np.float32)
                state = state.with_variables(error=np.zeros(BATCH, np.float32), z=z)
            elif method == "detector" or name != "detector":
                print(json.dumps({"phase": f"{method}.{name}", "apart": compared(phase, state, batch)}), flush=True)
            earlier[known] = Finished(phase, state)


if __name__ == "__main__":
    main(sys.argv[1:] or STEPS)
