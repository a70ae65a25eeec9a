"""The kinds of published weights, and how each becomes a module with its variables."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lgan_jax.interop import classifiers, files, hourglass, landmarkgan, stylegan2
from lgan_jax.interop.names import Network, Tensors, unwrapped
from lgan_jax.nn import inception, lpips, vgg

KINDS: Mapping[str, Callable[[Tensors], Network]] = {
    "landmarkgan/encoder": landmarkgan.encoder,
    "landmarkgan/decoder": landmarkgan.decoder,
    "landmarkgan/generator": landmarkgan.generator,
    "landmarkgan/discriminator": landmarkgan.discriminator,
    "landmarkgan/detector": landmarkgan.detector,
    "fan": hourglass.fan,
    "vgg16": classifiers.vgg16,
    "vgg19": classifiers.vgg19,
    "lpips-vgg16": classifiers.lpips,
    "inception-fid": classifiers.inception,
    "stylegan2": stylegan2.generator,
    "stylegan2-discriminator": stylegan2.discriminator,
}
_READERS = {  # of files; others are read by `files`
    "stylegan2": functools.partial(stylegan2.read, network="G_ema"),
    "stylegan2-discriminator": functools.partial(stylegan2.read, network="D"),
}
_PUBLISHED = {
    **vgg.PUBLISHED,
    "inception-fid": inception.PUBLISHED,
    "lpips-vgg16": lpips.PUBLISHED,
    "fan": hourglass.PUBLISHED,
    "stylegan2": stylegan2.PUBLISHED,
}


def network(kind: str, source: str | os.PathLike | Mapping[str, Any]) -> Network:
    """See `interop.network`."""
    if kind not in KINDS:
        raise ValueError(f"there are no published weights of the kind {kind!r}; the kinds are {', '.join(KINDS)}")
    what = "the mapping" if isinstance(source, Mapping) else str(source)
    tensors = source if isinstance(source, Mapping) else _READERS.get(kind, files.read)(Path(source))
    try:
        return KINDS[kind](unwrapped(tensors))
    except ValueError as error:
        raise ValueError(f"{what} does not hold the weights of {kind}: {error}") from None


def required_file(kind: str, path: str, option: str) -> Path:
    """The file that `interop.required` reads. Raises `FileNotFoundError` as it does."""
    file = Path(path).expanduser()
    if not path or not file.is_file():
        lack = f"{option} is {path}, and there is no such file" if path else f"{option} is not given"
        raise FileNotFoundError(
            f"{lack}; it names the file of the {kind} weights, which their owners publish at {_PUBLISHED[kind]}"
        )
    return file
