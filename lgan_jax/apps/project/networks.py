"""The networks that a projection needs: published ones, from the files that a user names, or those of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from lgan_jax import interop
from lgan_jax.apps.shared import loading
from lgan_jax.interop import classifiers, files, kinds
from lgan_jax.interop.names import Network, unwrapped
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.projection import losses
from lgan_jax.methods.projection.model import StyleGAN2
from lgan_jax.methods.projection.projector import Projector, Seer, Settings

SMALLEST = 64  # pixels on a side; in fewer no landmarks can be detected
LICENCE = "NOTE: NVIDIA's and dlib's weights are licensed for non-commercial use only."


def projector(
    network: Path, fan: Path, vgg: Path, lpips: Path | None, weights: Mapping[str, float], settings: Settings,
    say: Callable[[str], None] = print,
) -> Projector:  # fmt: skip
    """A projector with the networks in these files.

    Args:
      network: StyleGAN2's generator.
      fan: face-alignment's network for iBUG's 68 points.
      vgg: VGG16, by torchvision, or with the linear weights: NVIDIA's file, or one of the package `lpips`.
      lpips: the linear weights; None where `vgg` holds them.
      weights: of groups of landmarks, where they are not the usual ones.
      settings: see `Settings`.
      say: prints a line for the user.

    Raises:
      FileNotFoundError, ValueError: one line that says which file is wrong, and how.
    """
    say(LICENCE)
    of_landmarks = losses.landmark_weights(IBUG68, weights)
    generator = interop.required("stylegan2", str(network), "--network")
    if generator.module.size < SMALLEST:
        raise ValueError(f"{network} generates images of {generator.module.size} pixels; {SMALLEST} or more are needed")
    landmarks = interop.required("fan", str(fan), "--fan")
    if landmarks.module.points != IBUG68.count:
        raise ValueError(f"{fan} detects {landmarks.module.points} landmarks; a network for iBUG's 68 is needed")
    look = interop.network("lpips-vgg16", look_weights(vgg, lpips))
    return assembled(generator, landmarks, look, of_landmarks, settings, say)


def assembled(
    generator: Network, landmarks: Network, look: Network, weights: np.ndarray, settings: Settings,
    say: Callable[[str], None] = print,
) -> Projector:  # fmt: skip
    """A projector as the published tool's: StyleGAN2, FAN and LPIPS, each given images of the size that it is for."""
    return Projector(
        generator,
        Seer(lambda variables, image: look.module.apply(variables, losses.reduced(image)), look.variables),
        Seer(
            lambda variables, image: landmarks.module.apply(variables, losses.for_landmarks(image)), landmarks.variables
        ),
        weights,
        settings,
        say,
    )


def of_run(
    workdir: Path, weights: Mapping[str, float], settings: Settings
) -> tuple[Projector, Mapping[str, np.ndarray]]:
    """A projector with a run's generator, detector and discriminator, and the landmarks that say how faces are framed.

    Raises:
      FileNotFoundError: there is no run, or nothing saved yet.
      ValueError: it is a run of another method or has not come far enough, or has no such group of landmarks.
    """
    model = loading.load(workdir, StyleGAN2, "is a run of another method; train one with configs/ffhq.py")
    return model.projector(settings, weights), loading.training_landmarks(workdir)


def look_weights(vgg: Path, lpips: Path | None) -> dict[str, np.ndarray]:
    """VGG16's weights and the linear ones."""
    tensors = dict(classifiers.usual_names(unwrapped(files.read(kinds.required_file("vgg16", str(vgg), "--vgg")))))
    if lpips is None and not any(name.startswith("lin") for name in tensors):
        kinds.required_file("lpips-vgg16", "", "--lpips")
    if lpips is not None:
        tensors |= unwrapped(files.read(kinds.required_file("lpips-vgg16", str(lpips), "--lpips")))
    return tensors
