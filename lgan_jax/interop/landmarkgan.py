"""The networks that LandmarkGAN's authors publish (Sun et al. 2022), for landmarks as this library gives them.

Two things differ between theirs and ours, and both are folded into the first and the last layers' weights, exactly:

- frame: they put 0 and 1 on the centers of the first and last of a row's 64 heatmap pixels, here [0, 1] runs from edge
  to edge: ours = (63 · theirs + 0.5) / 64;
- order: of WFLW's 98 points they put the 33 of the face's outline last, here they come first. Networks for another
  number of points keep their order.

The latent between encoder and decoder takes our order of points too, so that the second term of Eq. 4 compares each
point with its own. It stays normalized in their frame, which no affine change of ours makes another; so the loss that
trains them on subtracts `PUBLISHED_ORIGIN` first, and weights distances by `PUBLISHED_SCALE`.

The generator's image s in [0, 1] becomes 2s − 1; detector and discriminator take images in [0, 1] as the originals
do.
"""

from __future__ import annotations

import re
from typing import Any

import jax
import numpy as np

from lgan_jax import coordinates
from lgan_jax.interop import hourglass, names
from lgan_jax.interop.names import Network, Path, Tensors
from lgan_jax.landmarks import WFLW98
from lgan_jax.methods.detector.networks import HeatmapDetector
from lgan_jax.methods.landmarkgan.networks import SIZES, LandmarkMLP, LandmarkToFace
from lgan_jax.nn.patch_discriminator import PatchDiscriminator

_SHIFT, _END = coordinates.to_released(np.array([0.0, 1.0])).tolist()  # of their frame: where ours begins and ends
PUBLISHED_ORIGIN = float(coordinates.from_released(np.zeros(1))[0])  # where their frame has its 0, in ours
PUBLISHED_SCALE = _END - _SHIFT  # their units of distance in a unit of ours
_CODE = 4  # pixels a side of the map that the generator starts from
_FULL = 1024  # its channels, at width 1


def encoder(tensors: Tensors) -> Network:
    """Φ, a `LandmarkMLP`: landmarks to the latent."""
    module, points = _mlp("lm_encoder", tensors)
    needed = _mlp_parameters("lm_encoder", module, points)
    variables = names.read(needed, tensors)
    _take_ours(variables["params"]["layer_0"], points)
    _order_outputs(variables["params"]["layer_4"], points)
    return Network(module, variables)


def decoder(tensors: Tensors) -> Network:
    """Ψ_t of every identity, `LandmarkMLP`s whose parameters are stacked along a leading axis: latent to landmarks."""
    numbers = {found[1] for name in tensors if (found := re.match(r"lm_decoder_list\.(\d+)\.", name))}
    prefixes = [f"lm_decoder_list.{i}" for i in range(max(1, len(numbers)))]
    module, points = _mlp(prefixes[0], tensors)
    first = _mlp_parameters(prefixes[0], module, points)
    needed = [
        {path: one._replace(name=prefix + one.name.removeprefix(prefixes[0])) for path, one in first.items()}
        for prefix in prefixes
    ]
    names.check([one for each in needed for one in each.values()], tensors)
    variables = [names.variables(each, tensors) for each in needed]
    for each in variables:
        _order_inputs(each["params"]["layer_0"], points)
        _give_ours(each["params"]["layer_4"], points)
    return Network(module, jax.tree.map(lambda *of_each: np.stack(of_each), *variables))


def generator(tensors: Tensors) -> Network:
    """Θ_t of one identity, a `LandmarkToFace`; the number of upscale blocks gives the image's size."""
    steps = [int(found[1]) for name in tensors if (found := re.match(r"decoder_list\.0\.(\d{1,3})\.", name))]
    pairs = (max(steps, default=9) + 1) // 2  # of an upscale block and a convolution, before the last convolution
    if (size := 2 * _CODE * 2**pairs) not in SIZES:
        raise ValueError(f"{pairs} upscale blocks after the first make {size} pixels; the sizes are {SIZES}")
    first, code = "conv102_1024.0", "fc2"
    channels = names.usual(tensors, (f"{first}.bias", 0), (f"{first}.weight", 0), (f"{code}.weight", 1))
    points = names.usual(tensors, (f"{first}.weight", 1)) // 2
    module = LandmarkToFace(size, channels / _FULL)
    needed = names.parameters(module, (1, points, 2), lambda path: _generator_name(path, pairs), first.__eq__)
    variables = names.read(needed, tensors)
    params = variables["params"]
    _take_ours(params["layer_0"], points)
    params["layer_1"] = {name: _rows_first(values) for name, values in params["layer_1"].items()}
    for i in range(pairs + 1):
        layer = params[f"upscale_{i}"]["conv"]
        params[f"upscale_{i}"]["conv"] = {name: _squares_first(values) for name, values in layer.items()}
    return Network(module, variables)


def discriminator(tensors: Tensors) -> Network:
    """D_t of one identity, a `PatchDiscriminator`, for images in [0, 1]."""
    biases = ("0.conv", "1.conv_0.conv", "1.conv_1.conv", "2.conv_0.conv")
    width = names.usual(tensors, *((f"cnn_f.{layer}.bias", 0) for layer in biases))
    module = PatchDiscriminator(width)
    needed = names.parameters(module, (1, 8, 8, 3), _discriminator_name)
    return Network(module, names.read(needed, tensors))


def detector(tensors: Tensors) -> Network:
    """Ω, a `HeatmapDetector`, for images in [0, 1]. Its heatmaps have no frame: DSNT reads them in this library's."""
    sizes = hourglass.sizes(tensors, "_0")
    module = HeatmapDetector(sizes.points, sizes.width, sizes.depth, smallest_map=1)

    def original(path: Path) -> str:
        return "hm_conv0" if path == ("mix",) else hourglass.original(path[1:], sizes.depth, "_0")

    side = 4 * 2**sizes.depth
    needed = names.parameters(module, (1, side, side, 3), original)
    variables = names.read(needed, tensors)
    mix = variables["params"]["mix"]
    mix["kernel"] = mix["kernel"][..., _order(sizes.points)]
    return Network(module, variables)


def for_signed_images(discriminator: Any) -> Any:
    """Parameters of a `PatchDiscriminator` for images p in [0, 1], as of one for 2p − 1; its padding mirrors."""
    kernel, bias = (np.asarray(discriminator["stem"][name], np.float64) for name in ("kernel", "bias"))
    stem = {"kernel": kernel / 2, "bias": bias + kernel.sum((0, 1, 2)) / 2}
    return {**discriminator, "stem": {name: values.astype(np.float32) for name, values in stem.items()}}


def _mlp(prefix: str, tensors: Tensors) -> tuple[LandmarkMLP, int]:
    """The module of an encoder or decoder, and its number of landmarks."""
    width = names.usual(tensors, *((f"{prefix}.{i}.bias", 0) for i in (0, 2, 4, 6)))
    ends = (f"{prefix}.0.weight", 1), (f"{prefix}.8.weight", 0), (f"{prefix}.8.bias", 0)
    return LandmarkMLP(width), names.usual(tensors, *ends) // 2


def _mlp_parameters(prefix: str, module: LandmarkMLP, points: int) -> dict[Path, names.Parameter]:
    def original(path: Path) -> str:
        return f"{prefix}.{2 * int(path[0].removeprefix('layer_'))}"

    return names.parameters(module, (1, points, 2), original, lambda layer: True)


def _generator_name(path: Path, pairs: int) -> str:
    part, _, number = path[0].partition("_")
    if path[0] in ("layer_0", "layer_1"):
        return {"layer_0": "conv102_1024.0", "layer_1": "fc2"}[path[0]]
    if path[0] == "upscale_0":
        return "upscale.upscale.0"
    if part == "upscale":
        return f"decoder_list.0.{2 * int(number) - 2}.upscale.0"
    return f"decoder_list.0.{2 * int(number) - 1 if part == 'conv' else 2 * pairs}"


def _discriminator_name(path: Path) -> str:
    blocks = {"block_0": 1, "block_1": 2, "block_2": 5, "block_3": 6}
    if path[0] in blocks:
        return f"cnn_f.{blocks[path[0]]}.{path[1].replace('shortcut', 'conv_s')}.conv"
    return {"stem": "cnn_f.0.conv", "head": "cnn_c.0.conv"}[path[0]]


def _order(points: int) -> np.ndarray:
    """The index of each of our points in their order."""
    if points != WFLW98.count:
        return np.arange(points)
    theirs = np.concatenate([WFLW98.inner, WFLW98.outline])
    return np.argsort(theirs)


def _take_ours(layer: dict[str, np.ndarray], points: int) -> None:
    """Adapts a first layer to our landmarks."""
    kernel = layer["kernel"].astype(np.float64)
    layer["bias"] = (layer["bias"] + kernel.sum(0) * _SHIFT).astype(np.float32)
    layer["kernel"] = (kernel * PUBLISHED_SCALE).astype(np.float32)
    _order_inputs(layer, points)


def _give_ours(layer: dict[str, np.ndarray], points: int) -> None:
    """Adapts a last layer to our landmarks."""
    layer["kernel"] = (layer["kernel"].astype(np.float64) / PUBLISHED_SCALE).astype(np.float32)
    layer["bias"] = coordinates.from_released(layer["bias"].astype(np.float64)).astype(np.float32)
    _order_outputs(layer, points)


def _order_inputs(layer: dict[str, np.ndarray], points: int) -> None:
    """Reorders the inputs of a layer, a pair of numbers for each point, to our order."""
    kernel = layer["kernel"]
    layer["kernel"] = kernel.reshape(points, 2, -1)[_order(points)].reshape(kernel.shape)


def _order_outputs(layer: dict[str, np.ndarray], points: int) -> None:
    """Reorders the outputs of a layer, a pair of numbers for each point, to our order."""
    for name, values in layer.items():
        layer[name] = values.reshape(-1, points, 2)[:, _order(points)].reshape(values.shape)


def _rows_first(values: np.ndarray) -> np.ndarray:
    """From (channel, row, column) to (row, column, channel), in the last axis."""
    lead = values.shape[:-1]
    return np.moveaxis(values.reshape(*lead, -1, _CODE**2), -2, -1).reshape(values.shape)


def _squares_first(values: np.ndarray) -> np.ndarray:
    """From PyTorch's PixelShuffle's channels, (feature, place in the square), to (place, feature), in the last axis."""
    lead = values.shape[:-1]
    return np.moveaxis(values.reshape(*lead, -1, 4), -2, -1).reshape(values.shape)
