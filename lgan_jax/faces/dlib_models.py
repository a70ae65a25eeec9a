"""dlib and its published models, loaded when they are first used.

The models: histogram-of-gradients detector (Dalal and Triggs 2005, Felzenszwalb et al. 2010), ensemble of regression
trees for 68 landmarks (Kazemi and Sullivan 2014), residual network whose 128-d vectors of one person lie within 0.6
(King 2017). dlib's landmark model was trained on 300-W, whose owners exclude commercial use.

Raises `ModuleNotFoundError` where a package is missing, saying how to install it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any


def detector() -> Any:
    """A frontal face detector."""
    return dlib().get_frontal_face_detector()


def landmark_model() -> Any:
    """The model of 68 landmarks, loaded once, as it is large; all may share it, as it does not change."""
    return _landmark_model(dlib())


def recognizer() -> Any:
    """A network for face descriptors."""
    return dlib().face_recognition_model_v1(_model_file("dlib_face_recognition_resnet_model_v1.dat"))


@functools.cache
def _landmark_model(module: ModuleType) -> Any:
    return module.shape_predictor(_model_file("shape_predictor_68_face_landmarks.dat"))


def dlib() -> ModuleType:
    """The package."""
    try:
        return importlib.import_module("dlib")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("finding faces needs dlib: pip install 'lgan_jax[faces]'", name="dlib") from error


def _model_file(name: str) -> str:
    """The path of a file of `face_recognition_models`, which cannot be imported where setuptools is missing."""
    package = "face_recognition_models"
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"finding faces needs {package}: pip install 'lgan_jax[faces]'", name=package)
    path = Path(found.submodule_search_locations[0]) / "models" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: reinstall with pip install --force-reinstall {package}")
    return str(path)
