"""The kinds of published weights, and how each becomes a module with its variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lgan_jax.interop import fan, files, landmarkgan
from lgan_jax.interop.names import Network, Tensors, unwrapped

KINDS: Mapping[str, Callable[[Tensors], Network]] = {
    "landmarkgan/encoder": landmarkgan.encoder,
    "landmarkgan/decoder": landmarkgan.decoder,
    "landmarkgan/generator": landmarkgan.generator,
    "landmarkgan/discriminator": landmarkgan.discriminator,
    "landmarkgan/detector": landmarkgan.detector,
    "fan": fan.fan,
}


def network(kind: str, source: str | os.PathLike | Mapping[str, Any]) -> Network:
    """See `interop.network`."""
    if kind not in KINDS:
        raise ValueError(f"there are no published weights of the kind {kind!r}; the kinds are {', '.join(KINDS)}")
    what = "the mapping" if isinstance(source, Mapping) else str(source)
    tensors = source if isinstance(source, Mapping) else files.read(Path(source))
    try:
        return KINDS[kind](unwrapped(tensors))
    except ValueError as error:
        raise ValueError(f"{what} does not hold the weights of {kind}: {error}") from None
