"""Evaluation of a trained DFT-Net on the test split, with the paper's baseline GANimation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from lgan_jax.action_units import NUMBERS
from lgan_jax.config import within
from lgan_jax.data import FaceData
from lgan_jax.data import training_landmarks as landmark_store
from lgan_jax.data.builders.emotionet import EVERYBODY
from lgan_jax.evaluation import comparison
from lgan_jax.evaluation.comparison import Compared, compared, compared_by
from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator
from lgan_jax.evaluation.harness import Evaluation, Setup
from lgan_jax.evaluation.tables import Values
from lgan_jax.faces.unit_estimate import neutral_head
from lgan_jax.media.images import to_floats
from lgan_jax.methods.dftnet.evaluation import image_grids, tables
from lgan_jax.methods.dftnet.evaluation.edits import SINGLE, Edits, calmest, choose, rendered, with_units
from lgan_jax.methods.dftnet.evaluation.metrics import (
    BASELINE,
    GROUND_TRUTH,
    OURS,
    UNCHANGED,
    Estimator,
    Measured,
    cycle,
    edited,
    frechet,
    heads_of,
    measure_edits,
    responses,
    saturated,
    use_of_parts,
)
from lgan_jax.methods.dftnet.model import DFTNet
from lgan_jax.ops.spacing import evenly_spaced
from lgan_jax.protocols import ActionUnitEditor


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the evaluation.

    Attributes:
      frames: number of test faces; each is edited to another face's action units.
      identity_frames: number of these faces for identity and the Fréchet distance (dlib takes 0.15 s per face).
      single_frames: number of the most neutral faces for single expressions.
    """

    frames: int = 96
    identity_frames: int = 64
    single_frames: int = 16

    def __post_init__(self) -> None:
        within(self, 2, math.inf, "frames")
        within(self, 1, math.inf, "identity_frames", "single_frames")


def measure(setup: Setup) -> Measured:
    """Measures the model, the run's GANimation, the unchanged source and the ground truth on the test edits."""
    model: DFTNet = setup.model
    dlib, settings = setup.dlib, setup.settings
    models = {OURS: model} | ({} if model.baseline is None else {BASELINE: model.baseline})
    edits = choose(setup.data, settings.frames)
    seen = dlib.landmarks(edits.images)
    estimator = _estimator(setup.data, edits, dlib) if dlib.installed else None
    asked = evenly_spaced(np.arange(len(edits.images)), settings.identity_frames)
    images = {name: edited(each, edits.images, edits.target) for name, each in models.items()}
    images[UNCHANGED] = edits.images
    cycles = {name: cycle(models.get(name), each, edits) for name, each in images.items()}
    if edits.ground_truth is not None:
        images[GROUND_TRUTH] = edits.ground_truth
    rows = {name: measure_edits(each, edits, models, dlib, estimator, asked) for name, each in images.items()}
    for name, values in rows.items():
        values |= {"cycle": cycles[name]} if name in cycles else {}
        values |= {} if name == UNCHANGED else frechet(values, rows[UNCHANGED], len(asked))
    attention = {name: _use_of_parts(each, edits) for name, each in models.items()}
    single = {} if estimator is None else _single_expressions(setup, edits, models, estimator)
    return Measured(models, edits, seen, estimator, asked, rows, attention, single)


def _estimator(data: FaceData, edits: Edits, dlib: DlibEvaluator) -> Estimator | None:
    """The estimator of action units from landmarks; None if no neutral face is known."""
    neutral = rendered(data, edits.indices, np.zeros_like(edits.units))
    if neutral is not None:
        return Estimator(heads_of(dlib.landmarks(neutral)), "the same person with a neutral face, rendered")
    if not _knows_people(data) or set(edits.identity.tolist()) - set(data.train.identity.tolist()):
        return None
    heads = {
        identity: neutral_head(landmark_store.landmarks(data, int(identity)), data.info.scheme)
        for identity in np.unique(edits.identity)
    }
    return Estimator(
        np.stack([heads[each] for each in edits.identity]), "the person's neutral face in the training frames"
    )


def _use_of_parts(model: ActionUnitEditor, edits: Edits) -> Values:
    generated = model.edit(to_floats(edits.images), edits.target)
    return use_of_parts(np.asarray(generated.attention), np.asarray(generated.flow))


def _single_expressions(
    setup: Setup, edits: Edits, models: Mapping[str, ActionUnitEditor], estimator: Estimator
) -> dict[str, Values]:
    """Intensities of single expressions on the most neutral faces: before, after, and in the ground truth."""
    chosen, found = calmest(edits, setup.settings.single_frames), {}
    for name, changes in SINGLE.items():
        units = with_units(edits.units[chosen], changes)
        groups = {"before": edits.images[chosen]}
        groups |= {each: edited(model, edits.images[chosen], units) for each, model in models.items()}
        groups[GROUND_TRUTH] = rendered(setup.data, edits.indices[chosen], units)
        found[name] = responses(groups, list(changes), setup.dlib, estimator.at(chosen))
    return found


def verdict(rows: Mapping[str, Values], has_ground_truth: bool) -> tuple[str, bool | None]:
    """Whether DFT-Net's results have faces, and beat the run's GANimation, if any, in action units and SSIM."""
    ours, unchanged = rows[OURS], rows[UNCHANGED]
    text, good = _compared(rows, has_ground_truth)
    if "found" in ours and unchanged["found"].mean() > 0.5 > ours["found"].mean():
        found = ours["found"]
        text += f" dlib finds a face in {found.sum()} of {len(found)} images by {OURS}: it is not trained well enough."
        good = False
    return text, good


def _compared(rows: Mapping[str, Values], has_ground_truth: bool) -> tuple[str, bool | None]:
    """The comparison without the check that dlib finds faces."""
    ours, baseline = rows[OURS], rows.get(BASELINE)
    still = _units(ours, rows[UNCHANGED], OURS)
    nothing = f"{still.metric} {still.model:.3f}, of the unchanged sources {still.baseline:.3f}, over {still.count}"
    if baseline is None:
        text = f"{OURS}: {nothing}. The run has no baseline to compare with."
        return text, None if still.won else False
    metrics = [_units(ours, baseline, BASELINE)]
    if has_ground_truth:
        metrics.append(compared("SSIM", ours["ssim"], baseline["ssim"], "higher"))
    text, good = comparison.verdict(OURS, f"{BASELINE} baseline", metrics)
    return (
        (text, good)
        if still.won
        else (f"{text} But its edits do not bring faces closer to the target: {nothing}.", False)
    )


def _units(ours: Values, other: Values, regressor: str) -> Compared:
    """Comparison by dlib's landmarks, if it found any; else by the discriminator of `regressor`."""
    names = {"by_landmarks": "landmarks", f"by_{regressor}": f"the discriminator of {regressor}"}
    return compared_by({key: f"action-unit error by {name}" for key, name in names.items()}, ours, other, "lower")


def warnings(setup: Setup, measured: Measured) -> list[str]:
    """Warnings that limit the interpretation of the metrics."""
    data, lines = setup.data, []
    if _knows_people(data) and set(data.test.identity.tolist()) & set(data.train.identity.tolist()):
        lines.append("The test images show identities of the training split, in other images.")
    if BASELINE not in measured.models:
        lines.append("The run has no GANimation to compare with; the variant `baseline` of the config trains it too.")
    if measured.estimator is None:
        lines.append("Action units by landmarks were not measured: no neutral face of these people is known.")
    if data.name.startswith("prepared"):
        lines.append("The data's own action units were also estimated from landmarks; there is no manual annotation.")
    if absent := [str(number) for number, there in zip(NUMBERS, measured.edits.units.any(0)) if not there]:
        lines.append(f"Action units {', '.join(absent)} are 0 in all of these faces, so they are not evaluated.")
    for name, parts in measured.attention.items():
        if value := saturated(parts):
            lines.append(f"{name}'s attention is {value} everywhere: one of its decoders has no effect.")
    return lines


def _knows_people(data: FaceData) -> bool:
    """Whether an identity of the data is one person."""
    parts = data.parts or (data,)
    return all(
        part.drawn.variation == "video" if part.drawn is not None else part.info.identities != (EVERYBODY,)
        for part in parts
    )


EVALUATION = Evaluation(
    title="DFT-Net: expressions from action units",
    measure=measure,
    measured_on=lambda setup, measured: f"{len(measured.edits.images)} test images of {setup.size}",
    tables=(tables.editing, tables.keeping, tables.single_expressions, tables.parts, tables.by_unit),
    images=(
        image_grids.parts,
        image_grids.single_expressions,
        image_grids.eyelids,
        image_grids.interpolation,
        image_grids.flow,
    ),
    verdict=lambda _, measured: verdict(measured.rows, measured.edits.ground_truth is not None),
    warnings=warnings,
)
evaluate = EVALUATION.run
