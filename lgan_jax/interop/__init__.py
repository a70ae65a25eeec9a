"""The weights that the papers' authors and others have published, as variables of this library's modules.

    variables = interop.load("fan", "2DFAN4.pth.tar")
    network = interop.network("landmarkgan/generator", "gen_0_00400000.pt")
    image = network.module.apply(network.variables, landmarks)

| kind | original names | module |
| --- | --- | --- |
| landmarkgan/encoder | lm_encoder.{0,2,4,6,8} | LandmarkMLP |
| landmarkgan/decoder | lm_decoder_list.{identity}.{0,2,4,6,8} | LandmarkMLP, parameters stacked by identity |
| landmarkgan/generator | conv102_1024.0, fc2, upscale.upscale.0, decoder_list.0.{0 … 10} | LandmarkToFace |
| landmarkgan/discriminator | cnn_f.{0,1,2,5,6}, cnn_c.0 | PatchDiscriminator |
| landmarkgan/detector | conv1, bn1, conv2 …, m0.b1_4_0 …, top_m_0_0, conv_last0, l0, hm_conv0 | HeatmapDetector |
| fan | conv1, bn1, conv2 …, m0.b1_4 …, top_m_0, conv_last0, l0, bl0, al0 … | FaceAlignmentNetwork |
| vgg16, vgg19 | features.{0,2,5 …} (torchvision; `classifier.` is left aside) | nn.vgg.VGG |
| lpips-vgg16 | the same, or net.slice1.0 … (lpips), and lin0.model.1 … lin4.model.1 | nn.lpips.LPIPS |
| lpips-vgg16 | layers.conv1 … layers.conv13 and lpips0 … lpips4 (NVIDIA's vgg16.pt) | nn.lpips.LPIPS |
| inception-fid | Conv2d_1a_3x3.conv …, Mixed_5b.branch1x1.bn …, fc (pytorch-fid) | nn.inception.FIDInception |
| stylegan2 | mapping.fc0 …, synthesis.b4.const, synthesis.b8.conv0 … (G_ema) | projection's Generator |
| stylegan2-discriminator | b64.fromrgb, b64.conv0 …, b4.conv, b4.fc, b4.out (D) | projection's Discriminator |

Landmarks go in and come out in this library's frame and order (see `interop.landmarkgan`); images are NHWC.
`python -m lgan_jax.interop` makes a run of LandmarkGAN's released files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def load(kind: str, source: str | os.PathLike | Mapping[str, Any]) -> dict[str, Any]:
    """The variables of our module for published weights: nested dicts of float32 arrays, as Flax takes them.

    Args:
      kind: one of the table above.
      source: a file (.pt, .pth, .safetensors, .npz; of StyleGAN2 NVIDIA's .pkl too), or a mapping from the original
        parameter names to NumPy arrays.
        A leading `module.` and keys such as `state_dict` or `model` around the parameters are taken off.

    Raises:
      ValueError: one line, for an unknown kind, a file that is none of these or holds more than tensors, and for
        parameters that are missing, left over, misshapen or not finite, with their names.
      OSError: the file cannot be read.
      ModuleNotFoundError: the package that reads this file is not installed; the line says how to install it.
    """
    return network(kind, source)[1]


def network(kind: str, source: str | os.PathLike | Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """As `load`, with the module that the variables belong to before them: `names.Network(module, variables)`.

    The module's sizes follow from the parameters' shapes.
    """
    from lgan_jax.interop import kinds  # only here, so that the command's --help need not wait for JAX

    return kinds.network(kind, source)


def required(kind: str, path: str, option: str) -> Any:
    """`network` of a file that a user names with `option`, a field or a flag: a kind that is published.

    Raises as `network`, but `FileNotFoundError`, one line, where `path` is empty or no file: it says which weights are
    wanted, where their owners publish them, and which option names them.
    """
    from lgan_jax.interop import kinds

    return kinds.network(kind, kinds.required_file(kind, path, option))
