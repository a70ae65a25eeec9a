"""Differentiable landmark detector: heatmaps, DSNT and its regularisers."""

from lgan_jax.methods.detector import evaluation
from lgan_jax.methods.detector.model import LandmarkDetector
from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.methods.spec import EvaluationSpec, MethodSpec, ModelSpec

METHOD = MethodSpec(
    name="detector",
    paper='Nibali et al., "Numerical Coordinate Regression with Convolutional Neural Networks" (2018)',
    phases={"detector": DetectorPhase},
    model=ModelSpec(LandmarkDetector, ("detector",)),
    evaluation=EvaluationSpec(evaluation.Settings, evaluation.evaluate),
)
