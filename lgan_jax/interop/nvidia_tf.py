"""Names and layouts of StyleGAN2's TensorFlow networks, as those of its PyTorch state dicts.

TensorFlow's kernels are `(rows, columns, in, out)` and `(in, out)`; those that double are stored turned by 180 degrees,
and the biases of styles without the 1 that they start at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

_LEAST = 4  # version of the pickles that StyleGAN2 came with
_FILTER = [1, 3, 3, 1]
_LEAVES = {"mod_weight": "affine.weight", "mod_bias": "affine.bias"}
_LAYERS = {
    **{"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb"},
    **{"FromRGB": "fromrgb", "Conv0": "conv0", "Conv1_down": "conv1", "Skip": "skip", "Dense0": "fc"},
}
_NAMES: tuple[tuple[str, Callable[[re.Match], str]], ...] = (
    (r"dlatent_avg", lambda found: "mapping.w_avg"),
    (r"(?:mapping/)?LabelEmbed/(\w+)", lambda found: f"mapping.embed.{found[1]}"),
    (r"(?:mapping/Dense|Mapping)(\d+)/(\w+)", lambda found: f"mapping.fc{found[1]}.{found[2]}"),
    (r"synthesis/4x4/Const/const", lambda found: "synthesis.b4.const"),
    (r"synthesis/noise(\d+)", lambda found: _noise(int(found[1]))),
    (r"4x4/Conv/(\w+)", lambda found: f"b4.conv.{found[1]}"),
    (r"Output/(\w+)", lambda found: f"b4.out.{found[1]}"),
    (r"(synthesis/)?(\d+)x\2/(\w+)/(\w+)", lambda found: _layer(*found.groups())),
)


def read(network: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The state dict of a network, and `conv_clamp` where it has one.

    Raises `ValueError` where the network is none of StyleGAN2.
    """
    options = network["static_kwargs"]
    found = {name: np.asarray(getattr(array, "values", array)) for name, array in _variables(network, "")}
    if network["version"] < _LEAST or any("StyleMod" in name or "_lod" in name for name in found):
        raise ValueError("it is a network of StyleGAN1 or of another architecture; StyleGAN2's are read")
    if list(options.get("resample_kernel") or _FILTER) != _FILTER:
        raise ValueError(f"its network resamples through {options['resample_kernel']}, not {_FILTER}")
    state = {}
    for name, values in found.items():
        if ours := _ours(name):
            state[ours] = _laid_out(name, ours, values)
    clamp = options.get("conv_clamp")
    return state if clamp is None else state | {"conv_clamp": np.float32(clamp)}


def _variables(network: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, array in network["variables"]:
        yield prefix + name, array
    for name, inner in network["components"].items():
        yield from _variables(inner, f"{prefix}{name}/")


def _ours(name: str) -> str | None:
    """The name in a state dict; None for a variable that has no part in the network, such as training's `lod`."""
    for pattern, renamed in _NAMES:
        if found := re.fullmatch(pattern, name):
            return renamed(found)
    return None if name.rpartition("/")[2] == "lod" else name


def _layer(synthesis: str | None, side: str, layer: str, leaf: str) -> str:
    head = "synthesis." if synthesis else ""
    return f"{head}b{side}.{_LAYERS.get(layer, layer)}.{_LEAVES.get(leaf, leaf)}"


def _noise(number: int) -> str:
    conv = "conv0" if number % 2 else "conv1"
    return f"synthesis.b{4 << (number + 1) // 2}.{conv}.noise_const"


def _laid_out(name: str, ours: str, values: np.ndarray) -> np.ndarray:
    if ours.endswith(".const"):
        return values[0]
    if ours.endswith("noise_const"):
        return values[0, 0]
    if ours.endswith("affine.bias"):
        return values + 1
    if values.ndim == 4:
        return (values[::-1, ::-1] if "_up/" in name else values).transpose(3, 2, 0, 1)
    return values.T
