"""Guided expression synthesis: generates a face from a source image, target landmarks and an expression label."""

from lgan_jax.methods.expression.evaluation import evaluate as evaluation
from lgan_jax.methods.expression.model import ExpressionSynthesizer
from lgan_jax.methods.expression.phases import SynthesizerPhase
from lgan_jax.methods.spec import EvaluationSpec, MethodSpec, ModelSpec

METHOD = MethodSpec(
    name="expression",
    paper=(
        'Li et al., "Facial Landmarks and Expression Label Guided Photorealistic Facial Expression Synthesis" '
        "(IEEE Access 2021)"
    ),
    phases={"synthesizer": SynthesizerPhase},
    model=ModelSpec(ExpressionSynthesizer, ("synthesizer",)),
    evaluation=EvaluationSpec(evaluation.Settings, evaluation.evaluate, inception=True, compares=True),
)
