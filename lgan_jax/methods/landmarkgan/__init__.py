"""LandmarkGAN: renders a training identity from any person's landmarks, converted to that identity."""

from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.methods.landmarkgan.converter import ConverterPhase
from lgan_jax.methods.landmarkgan.evaluation import evaluate as evaluation
from lgan_jax.methods.landmarkgan.joint import JointPhase
from lgan_jax.methods.landmarkgan.model import LandmarkGAN
from lgan_jax.methods.landmarkgan.reference import GeneratorPhase
from lgan_jax.methods.spec import EvaluationSpec, MethodSpec, ModelSpec

METHOD = MethodSpec(
    name="landmarkgan",
    paper='Sun et al., "LandmarkGAN: Synthesizing faces from landmarks" (Pattern Recognition Letters 2022)',
    phases={
        "detector": DetectorPhase,
        "converter": ConverterPhase,
        "generator": GeneratorPhase,
        "joint": JointPhase,
    },
    model=ModelSpec(LandmarkGAN, ("generator", "joint")),
    evaluation=EvaluationSpec(evaluation.Settings, evaluation.evaluate),
)
