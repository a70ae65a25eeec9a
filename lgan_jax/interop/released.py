"""LandmarkGAN's released files, sorted by network and converted to variables that fit together."""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from lgan_jax.interop import files, landmarkgan, names
from lgan_jax.landmarks import Scheme, scheme_of_count

_PARTS: Mapping[str, tuple[str, Callable]] = {  # → how the names begin that only this part has, and what reads it
    "encoder": ("lm_encoder.", landmarkgan.encoder),
    "decoders": ("lm_decoder_list.", landmarkgan.decoder),
    "generator": ("conv102_1024.", landmarkgan.generator),
    "discriminator": ("cnn_f.", landmarkgan.discriminator),
    "detector": ("hm_conv0.", landmarkgan.detector),
}
_SINGLE = ("encoder", "decoders", "detector")  # one file for all identities
_NUMBERED = re.compile(r"(?:gen|dis)_(\d+)_\d+")  # how the release names a file of one identity: its number, its step


class Release(NamedTuple):
    """The released networks, of all identities in the order of their numbers.

    Attributes:
      scheme: of the landmarks.
      size: of the images, in pixels.
      widths: of the networks, as the settings of their phases name them.
      converter: parameters of `encoder` and, stacked by identity, `decoders`.
      generators, discriminators: parameters stacked by identity; discriminators are for images in [-1, 1].
      detector: variables.
      identities: how many.

    What no file holds is None.
    """

    scheme: Scheme
    size: int
    widths: Mapping[str, Any]
    converter: Any
    generators: Any
    discriminators: Any | None
    detector: Any | None
    identities: int


def read(paths: Sequence[Path]) -> Release:
    """Reads the files: an encoder, a file with all decoders, a generator for each identity; and, where they are given,
    a detector and a discriminator for each identity.

    The identity of a generator or discriminator is the number in a name like gen_0_00400000.pt; where files are named
    otherwise it is their place in `paths`.

    Raises `ValueError`, one line, for what is missing, given twice, or does not fit together; else as `interop.load`.
    """
    found = _sorted(paths)
    for part, first in (("encoder", "lm_encoder"), ("decoders", "lm_decoder_list"), ("generator", "conv102_1024")):
        if not found[part]:
            raise ValueError(f"no file holds the {part} (names that begin with {first}); give that file too")
    encoder, decoders = found["encoder"][0][1], found["decoders"][0][1]
    generators = _in_order(found["generator"])
    points = encoder.variables["params"]["layer_4"]["bias"].size // 2
    count = len(decoders.variables["params"]["layer_4"]["bias"])
    discriminators = _in_order(found["discriminator"])
    for part, networks in (("generator", generators), ("discriminator", discriminators)):
        if networks and len(networks) != count:
            raise ValueError(f"there are decoders of {count} identities and {len(networks)} {part} files; give {count}")
    detector = found["detector"][0][1] if found["detector"] else None
    _check_fit(points, encoder.module.width, decoders, generators, detector)
    widths = {"converter": encoder.module.width, "generator": generators[0].module.width}
    if discriminators:
        widths["discriminator"] = discriminators[0].module.width
    if detector:
        widths |= {"detector": detector.module.width, "depth": detector.module.depth}
    signed = [landmarkgan.for_signed_images(network.variables["params"]) for network in discriminators]
    return Release(
        scheme=scheme_of_count(points),
        size=generators[0].module.size,
        widths=widths,
        converter={"encoder": encoder.variables["params"], "decoders": decoders.variables["params"]},
        generators=_stacked([network.variables["params"] for network in generators]),
        discriminators=_stacked(signed) if signed else None,
        detector=detector.variables if detector else None,
        identities=count,
    )


def _sorted(paths: Sequence[Path]) -> dict[str, list[tuple[Path, names.Network]]]:
    """The networks that the files hold, by part, with the file of each."""
    found: dict[str, list[tuple[Path, names.Network]]] = {part: [] for part in _PARTS}
    for path in paths:
        try:
            tensors = names.unwrapped(files.read(path))
            parts = [p for p, (begin, _) in _PARTS.items() if any(name.startswith(begin) for name in tensors)]
            if not parts:
                raise ValueError("it holds no network of LandmarkGAN's; leave it out")
            for part in parts:
                found[part].append((path, _PARTS[part][1](tensors)))
        except ValueError as error:
            raise ValueError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None
    for part in _SINGLE:
        if len(found[part]) > 1:
            raise ValueError(f"{found[part][0][0]} and {found[part][1][0]} both hold the {part}; give one of them")
    return found


def _in_order(networks: Sequence[tuple[Path, names.Network]]) -> list[names.Network]:
    """One network for each identity, in the order of their numbers where all the files have one in their names."""
    matches = [_NUMBERED.match(path.name) for path, _ in networks]
    if not all(matches):
        return [network for _, network in networks]
    numbers = [int(match[1]) for match in matches if match]
    (number, times), *_ = collections.Counter(numbers).most_common(1) or [(0, 0)]
    if times > 1:
        raise ValueError(f"{times} files are of identity {number}, by their names; give one for each identity")
    return [networks[i][1] for i in np.argsort(numbers)]


def _check_fit(
    points: int,
    width: int,
    decoders: names.Network,
    generators: Sequence[names.Network],
    detector: names.Network | None,
) -> None:
    counts = {
        "decoders": decoders.variables["params"]["layer_4"]["bias"].shape[-1] // 2,
        "generators": generators[0].variables["params"]["layer_0"]["kernel"].shape[0] // 2,
        **({"detector": detector.module.points} if detector else {}),
    }
    for part, count in counts.items():
        if count != points:
            raise ValueError(f"the encoder is for {points} landmarks and the {part} for {count}; they do not fit")
    if decoders.module.width != width:
        raise ValueError(f"the encoder is {width} wide and the decoders {decoders.module.width}; they do not fit")
    if len({network.module for network in generators}) > 1:
        raise ValueError("the generators are not all of the same size; they do not fit together")


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *of_each: np.stack(of_each), *trees)
