"""What the papers train: a folder a paper, the phases that a config can name, and the models that come out."""

from collections.abc import Mapping
from typing import Any

from lgan_jax.core import FaceInfo, Finished
from lgan_jax.methods.began.autoencoder import AutoEncoding
from lgan_jax.methods.began.inverse import Inverse
from lgan_jax.methods.began.landmarks import Landmarks
from lgan_jax.methods.began.method import Began
from lgan_jax.methods.began.model import LandmarkedFaces
from lgan_jax.methods.detector.method import Detector
from lgan_jax.methods.detector.model import LandmarkDetector
from lgan_jax.methods.dftnet.flow import Flow
from lgan_jax.methods.dftnet.method import Baseline, Editor
from lgan_jax.methods.dftnet.model import ExpressionEditor
from lgan_jax.methods.dftnet.pairs import BaselinePairs, Pairs
from lgan_jax.methods.dftnet.regressor import Regressor
from lgan_jax.methods.expression.method import Synthesizer
from lgan_jax.methods.expression.model import ExpressionSynthesizer
from lgan_jax.methods.landmarkgan.converter import Converter
from lgan_jax.methods.landmarkgan.forms import GeneratorPhase
from lgan_jax.methods.landmarkgan.joint import Joint
from lgan_jax.methods.landmarkgan.model import LandmarkGAN
from lgan_jax.methods.projection.model import StyledFaces
from lgan_jax.methods.projection.stylegan2 import StyleGAN2

PHASES = {
    "landmarkgan": {"detector": Detector, "converter": Converter, "generator": GeneratorPhase, "joint": Joint},
    "detector": {"detector": Detector},
    "dftnet": {
        **{"regressor": Regressor, "flow": Flow, "pairs": Pairs, "editor": Editor},
        **{"baseline_pairs": BaselinePairs, "baseline": Baseline},
    },
    "expression": {"synthesizer": Synthesizer},
    "began": {
        **{"autoencoder": AutoEncoding, "began": Began},
        **{"inverse": Inverse, "landmark_generator": Landmarks},
    },
    "projection": {"detector": Detector, "stylegan2": StyleGAN2},
}

# method → its model, the phases that it can be made from, and those that it takes along where they are there: of each
# the first that is there
_MODELS = {
    "landmarkgan": (LandmarkGAN, ("generator", "joint"), {}),
    "detector": (LandmarkDetector, ("detector",), {}),
    "dftnet": (ExpressionEditor, ("editor", "pairs"), {"baseline": ("baseline", "baseline_pairs")}),
    "expression": (ExpressionSynthesizer, ("synthesizer",), {}),
    "began": (LandmarkedFaces, ("landmark_generator",), {"began": ("began",), "inverse": ("inverse",)}),
    "projection": (StyledFaces, ("stylegan2",), {"detector": ("detector",)}),
}


def model(method: str, info: FaceInfo, finished: Mapping[str, Finished]) -> Any:
    """The model of a run that has come far enough. Raises `ValueError` where it has not."""
    make, phases, along = _MODELS[method]
    if start := _first(finished, phases):
        others = {name: _first(finished, choice) for name, choice in along.items()}
        return make(info, *start, **{name: other for name, other in others.items() if other})
    raise ValueError(f"the run has not reached its {' or '.join(phases)} phase yet; train on, then load it again")


def _first(finished: Mapping[str, Finished], names: tuple[str, ...]) -> Finished | None:
    return next((finished[name] for name in names if name in finished), None)
