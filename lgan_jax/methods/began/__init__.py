"""BEGAN with a landmark generator: samples faces with landmark annotations from latents, and inverts images."""

from lgan_jax.methods.began.autoencoder import AutoencoderPhase
from lgan_jax.methods.began.began import BEGANPhase
from lgan_jax.methods.began.evaluation import evaluate as evaluation
from lgan_jax.methods.began.inverse import InversePhase
from lgan_jax.methods.began.landmark_generator import LandmarkGeneratorPhase
from lgan_jax.methods.began.model import BEGAN
from lgan_jax.methods.spec import EvaluationSpec, MethodSpec, ModelSpec

METHOD = MethodSpec(
    name="began",
    paper=(
        'Bazrafkan et al., "Face Synthesis with Landmark Points from Generative Adversarial Networks and Inverse '
        'Latent Space Mapping" (2018)'
    ),
    phases={
        "autoencoder": AutoencoderPhase,
        "began": BEGANPhase,
        "inverse": InversePhase,
        "landmark_generator": LandmarkGeneratorPhase,
    },
    model=ModelSpec(BEGAN, ("landmark_generator",), {"began": ("began",), "inverse": ("inverse",)}),
    evaluation=EvaluationSpec(evaluation.Settings, evaluation.evaluate, history=evaluation.WATCHED, inception=True),
)
