"""Names and layouts of StyleGAN2's TensorFlow networks, as those of its PyTorch state dicts.

TensorFlow's kernels are `(rows, columns, in, out)` and `(in, out)`; those that double are stored turned by 180 degrees,
and the biases of styles without the 1 that they start at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from lgan_jax.interop.pickles import Call, fields, walk

_NONE = "it is a pickle, but not of NVIDIA's networks"
_LONGEST = 1000  # characters of a variable's name
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
    (r"synthesis/noise(\d{1,2})", lambda found: _noise(int(found[1]))),
    (r"4x4/Conv/(\w+)", lambda found: f"b4.conv.{found[1]}"),
    (r"Output/(\w+)", lambda found: f"b4.out.{found[1]}"),
    (r"(synthesis/)?(\d+)x\2/(\w+)/(\w+)", lambda found: _layer(*found.groups())),
)


def read(network: Call, array: Callable[[Any], Any]) -> dict[str, np.ndarray]:
    """The state dict of a network, and `conv_clamp` where it has one; `array` makes arrays of what stands for them.

    Raises `ValueError` where the network is none of StyleGAN2.
    """
    found = {name: np.asarray(values) for name, each in _variables(network) if (values := array(each)) is not None}
    options, version = (_attributes(network).get(name) for name in ("static_kwargs", "version"))
    options = fields(options)
    if options is None or not isinstance(version, int):
        raise ValueError(_NONE)
    if version < _LEAST or any("StyleMod" in name or "_lod" in name for name in found):
        raise ValueError("it is a network of StyleGAN1 or of another architecture; StyleGAN2's are read")
    if (taps := options.get("resample_kernel")) not in (None, _FILTER):
        shown = taps if isinstance(taps, list) and all(isinstance(tap, int | float) for tap in taps) else "something"
        raise ValueError(f"its network resamples through {shown!s:.60}, not {_FILTER}")
    state = {}
    for name, values in found.items():
        if ours := _ours(name):
            state[ours] = _laid_out(name, ours, values)
    clamp = options.get("conv_clamp")
    if not isinstance(clamp, int | float | None):
        raise ValueError("its conv_clamp is no number")
    return state if clamp is None else state | {"conv_clamp": np.float32(clamp)}


def _attributes(network: Any) -> Mapping[Any, Any]:
    found = fields(network.state) if isinstance(network, Call) else None
    if found is None:
        raise ValueError(_NONE)
    return found


def _variables(root: Call) -> Iterator[tuple[str, Any]]:
    """The name of each variable, of those of components too, and what stands for its array."""
    for path, _, variables in walk(root, _look):
        yield from (("/".join((*path, name)), array) for name, array in variables)


def _look(network: Any) -> tuple[list[Any], Mapping[Any, Any]]:
    """The variables of a network, and its components."""
    attributes = _attributes(network)
    variables, components = attributes.get("variables"), fields(attributes.get("components"))
    if not isinstance(variables, list) or components is None or not all(map(_is_variable, variables)):
        raise ValueError(_NONE)
    return variables, components


def _is_variable(pair: Any) -> bool:
    return isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str) and len(pair[0]) < _LONGEST


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
    leading = 1 if ours.endswith(".const") else 2 if ours.endswith("noise_const") else 0
    if leading:
        if values.ndim <= leading or not all(values.shape[:leading]):
            raise ValueError(f"misshapen: {name} {values.shape}")
        return values[(0,) * leading]
    if ours.endswith("affine.bias"):
        return values + 1
    if values.ndim == 4:
        return (values[::-1, ::-1] if "_up/" in name else values).transpose(3, 2, 0, 1)
    return values.T
