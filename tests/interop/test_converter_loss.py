"""The loss of an imported converter is the published one, computed here in the published frame and order."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import coordinates, interop
from lgan_jax.core import FaceInfo
from lgan_jax.interop import run
from lgan_jax.landmarks import WFLW98
from lgan_jax.methods.landmarkgan.converter import ConverterPhase

POINTS, WIDTH, PEOPLE = 98, 12, 3
INNER = 65  # of the points, which come first in the published order


def released(prefix, rng):
    """Five fully connected layers, as 1×1 convolutions."""
    sizes = (2 * POINTS, WIDTH, WIDTH, WIDTH, WIDTH, 2 * POINTS)
    weights = {}
    for i, (before, after) in enumerate(itertools.pairwise(sizes)):
        kernel = rng.normal(size=(after, before, 1, 1)) / np.sqrt(before)
        weights[f"{prefix}.{2 * i}.weight"] = kernel.astype(np.float32)
        weights[f"{prefix}.{2 * i}.bias"] = rng.normal(size=after).astype(np.float32) / 4
    return weights


def computed(weights, prefix, x):
    """`x` and what comes out are flat, in the published frame and order; float64."""
    for i in range(5):
        x = np.where(x < 0, 0.1 * x, x) if i else x
        x = x @ weights[f"{prefix}.{2 * i}.weight"][..., 0, 0].T.astype(float) + weights[f"{prefix}.{2 * i}.bias"]
    return x


def distance(one, other, weights):
    """Summed over landmarks, averaged over the batch."""
    apart = (one - other).reshape(len(one), POINTS, 2)
    return (np.sqrt((apart**2).sum(-1)) * weights).sum(-1).mean()


def published_loss(weights, landmarks, shift):
    """10·(5·rec + norm) + 2·(5·cycle + norm_cycle) for each identity, and their mean."""
    inner = np.where(np.arange(POINTS) < INNER, 1.5, 1.0)
    totals = []
    for person in range(PEOPLE):
        own, other = f"lm_decoder_list.{person}", f"lm_decoder_list.{(person + shift) % PEOPLE}"
        x = landmarks[:, person]
        latent = computed(weights, "lm_encoder", x)
        converted = computed(weights, other, latent)
        of_converted = computed(weights, "lm_encoder", converted)
        unit, unit_converted = (y / np.linalg.norm(y, axis=1, keepdims=True) for y in (x, converted))
        rec = distance(x, computed(weights, own, latent), inner)
        cycle = distance(x, computed(weights, own, of_converted), inner)
        norm, norm_cycle = distance(unit, latent, 3.5), distance(unit_converted, of_converted, 3.5)
        totals.append(10 * (5 * rec + norm) + 2 * (5 * cycle + norm_cycle))
    return np.mean(totals)


@pytest.mark.parametrize("shift", [1, 2])
def test_training_on_minimises_what_was_minimised(shift):
    rng = np.random.default_rng(5)
    weights = released("lm_encoder", rng)
    for person in range(PEOPLE):
        weights |= released(f"lm_decoder_list.{person}", rng)
    landmarks = rng.uniform(0.1, 0.9, (4, PEOPLE, POINTS, 2))
    theirs = coordinates.to_released(np.concatenate([landmarks[..., 33:, :], landmarks[..., :33, :]], -2))
    expected = published_loss(weights, theirs.reshape(4, PEOPLE, -1), shift)

    def part(begin):
        return {name: values for name, values in weights.items() if name.startswith(begin)}

    params = {
        "encoder": interop.load("landmarkgan/encoder", part("lm_encoder"))["params"],
        "decoders": interop.load("landmarkgan/decoder", part("lm_decoder"))["params"],
    }
    info = FaceInfo(WFLW98, 64, ("Ada", "Grace", "Mary"))
    converter = ConverterPhase(run.converter_settings(WIDTH), info, jnp.float32, {})
    loss = jax.jit(lambda params: converter.loss(params, jnp.float32(landmarks), jnp.int32(shift))[1]["total"])(params)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    plain = ConverterPhase(ConverterPhase.Settings(width=WIDTH), info, jnp.float32, {})
    other = jax.jit(lambda params: plain.loss(params, jnp.float32(landmarks), jnp.int32(shift))[1]["total"])(params)
    assert float(other) != pytest.approx(expected, rel=1e-4)
