"""DFT-Net: expression editing from action units, by a flow field and a texture; and GANimation, its baseline."""

from lgan_jax.methods.dftnet.editor import BaselinePhase, EditorPhase
from lgan_jax.methods.dftnet.evaluation import evaluate as evaluation
from lgan_jax.methods.dftnet.flow import FlowPhase
from lgan_jax.methods.dftnet.linear_phase import LinearPhase
from lgan_jax.methods.dftnet.model import DFTNet
from lgan_jax.methods.dftnet.pairs import BaselinePairsPhase, PairsPhase
from lgan_jax.methods.dftnet.registered import BaselineRegisteredPairsPhase, RegisteredPairsPhase
from lgan_jax.methods.dftnet.regressor import RegressorPhase
from lgan_jax.methods.spec import EvaluationSpec, MethodSpec, ModelSpec

METHOD = MethodSpec(
    name="dftnet",
    paper=(
        'Wang et al., "DFT-Net: Disentanglement of Face Deformation and Texture Synthesis for Expression Editing" '
        "(ICIP 2019)"
    ),
    phases={
        "regressor": RegressorPhase,
        "flow": FlowPhase,
        "linear": LinearPhase,
        "pairs": PairsPhase,
        "registered_pairs": RegisteredPairsPhase,
        "editor": EditorPhase,
        "baseline_pairs": BaselinePairsPhase,
        "baseline_registered_pairs": BaselineRegisteredPairsPhase,
        "baseline": BaselinePhase,
    },
    model=ModelSpec(
        DFTNet,
        ("editor", "registered_pairs", "pairs", "linear"),
        {"baseline": ("baseline", "baseline_registered_pairs", "baseline_pairs")},
    ),
    evaluation=EvaluationSpec(evaluation.Settings, evaluation.evaluate),
)
