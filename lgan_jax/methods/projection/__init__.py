"""StyleGAN2 and landmark-guided projection: the appearance of one face with the landmarks of another."""

from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.methods.projection.evaluation import evaluate as evaluation
from lgan_jax.methods.projection.model import StyleGAN2
from lgan_jax.methods.projection.stylegan2 import StyleGAN2Phase
from lgan_jax.methods.spec import EvaluationSpec, MethodSpec, ModelSpec

METHOD = MethodSpec(
    name="projection",
    paper='Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (CVPR 2020)',
    phases={"detector": DetectorPhase, "stylegan2": StyleGAN2Phase},
    model=ModelSpec(StyleGAN2, ("stylegan2",), {"detector": ("detector",)}),
    evaluation=EvaluationSpec(evaluation.Settings, evaluation.evaluate, inception=True),
)
