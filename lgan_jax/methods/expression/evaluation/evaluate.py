"""Evaluation of a trained synthesizer on test people, beside the metrics of Li et al. and copying the source."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.config import within
from lgan_jax.evaluation import comparison, study
from lgan_jax.evaluation.comparison import Compared, compared
from lgan_jax.evaluation.frechet import NO_FID
from lgan_jax.evaluation.harness import Evaluation, Setup
from lgan_jax.evaluation.tables import Values
from lgan_jax.methods.expression.evaluation import augmentation_study, image_grids, tables
from lgan_jax.methods.expression.evaluation.metrics import (
    COPY,
    GROUND_TRUTH,
    OURS,
    Evaluators,
    Measured,
    measure_images,
    real,
    synthesized,
)
from lgan_jax.methods.expression.evaluation.pairs import choose
from lgan_jax.metrics import expression_classifier as classifiers


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
      frames: target images of the test split at most, each synthesized from another one of the same person.
      inception: the user's file of pytorch-fid's Inception weights, for FID; empty for none.
      compare: folders of other runs of the same data, such as the ablations, for Table 7.
      classifier: of expressions.
      augmentation: whether to run the augmentation study of Table 4, too.
      factors: of Table 4: how many times as many synthesized faces as real ones the classifier learns from.
      seeds: of Table 4: trainings for each factor.
    """

    frames: int = 96
    inception: str = ""
    compare: tuple[str, ...] = ()
    classifier: classifiers.Settings = dataclasses.field(default_factory=classifiers.Settings)
    augmentation: bool = False
    factors: tuple[int, ...] = (0, 1, 5, 10, 100)
    seeds: int = 3

    def __post_init__(self) -> None:
        within(self, 1, math.inf, "frames", "seeds")
        if not self.factors or min(self.factors) < 0 or len(set(self.factors)) < len(self.factors):
            raise ValueError(f"factors must be different numbers, none below 0, not {self.factors}")


def measure(setup: Setup) -> Measured:
    """This run, the runs that it is compared with, a copy of the source, and the ground truth, on test pairs.

    Raises `ValueError` where a person is in training and in another split, or no person of a split has two expressions.
    """
    data, settings = setup.data, setup.settings
    data.require_subjects()
    pairs = choose(data, settings.frames)
    run = (lambda: augmentation_study.run(setup)) if settings.augmentation else None
    stored, study_warnings = study.run_or_read(
        augmentation_study.Result, setup.out, setup.weights, setup.data.fingerprint, run
    )
    classifier = augmentation_study.trained_on_real(data, settings.classifier)
    evaluators = Evaluators(setup.dlib, classifier, setup.inception)
    models = {OURS: setup.model} | {name: other.model for name, other in setup.others.items()}
    images = {name: synthesized(model, pairs) for name, model in models.items()}
    measured_real = real(evaluators, pairs)
    rows, verifications = {}, {}
    for name, each in {**images, COPY: pairs.images, GROUND_TRUTH: pairs.ground_truth}.items():
        rows[name], verification = measure_images(each, pairs, measured_real, data.info.scheme, evaluators)
        if verification is not None:
            verifications[name] = verification
    return Measured(pairs, evaluators, images, rows, verifications, stored, study_warnings)


def verdict(rows: Mapping[str, Values], others: Mapping[str, Values]) -> tuple[str, bool | None]:
    """Whether this run beats copying the source in SSIM, landmarks and expressions, and each other run in FID or SSIM.

    Landmarks are left out where dlib found none.
    """
    ours, copy = rows[OURS], rows[COPY]
    text, good = comparison.verdict(
        "The run",
        COPY,
        [
            compared("SSIM", ours["ssim"], copy["ssim"], "higher"),
            compared("landmark error", ours["landmarks"], copy["landmarks"], "lower"),
            compared("share of right expressions", ours["expression"] * 1.0, copy["expression"] * 1.0, "higher"),
        ],
    )
    for name, other in others.items():
        metrics = _against(ours, other)
        beaten, won = comparison.verdict("it", f"run {name}", metrics)
        text += f" {beaten[0].upper()}{beaten[1:]}"
        good = good and (won or any(each.won for each in metrics))
    if "found" in ours and copy["found"].mean() > 0.5 > ours["found"].mean():
        found = ours["found"]
        text += f" dlib finds a face in {found.sum()} of {len(found)} synthesized images: not trained well enough."
        good = False
    return text, good


def _against(ours: Values, other: Values) -> list[Compared]:
    """Table 7's metric, or dlib's in its place, and SSIM."""
    key, name = ("fid", "FID") if "fid" in ours else ("frechet", "FD of dlib")
    both = key in ours and key in other
    distance = [Compared(name, ours[key].mean, other[key].mean, len(ours["ssim"]), "lower")] if both else []
    return [*distance, compared("SSIM", ours["ssim"], other["ssim"], "higher")]


def warnings(setup: Setup, measured: Measured) -> list[str]:
    """What a reader must know before reading a metric."""
    lines = [f"This run was trained without {each}." for each in setup.model.left_out]
    if setup.data.name.startswith("prepared"):
        lines.append("The data's expressions were estimated from landmarks; no true ones are known.")
    if setup.inception is None:
        lines.append(NO_FID)
    learned, tested = (set(split.expression.tolist()) for split in (setup.data.train, setup.data.test))
    if unknown := sorted(tested - learned):
        names = ", ".join(EXPRESSIONS[each] for each in unknown)
        lines.append(f"Nobody in the training images shows {names}: nothing could learn it.")
    return [*lines, *measured.study_warnings]


def _facts(setup: Setup, measured: Measured) -> Mapping[str, str]:
    splits = (setup.data.train, setup.data.validation, setup.data.test)
    training, validation, test = (len(np.unique(split.identity)) for split in splits)
    return {"People": f"{training} training, {validation} validation, {test} test; nobody is in two splits"}


EVALUATION = Evaluation(
    title="Landmark and expression guided synthesis",
    measure=measure,
    measured_on=lambda setup, measured: f"{len(measured.pairs)} test images of {setup.size}",
    tables=(tables.quality, tables.control, tables.verification, tables.ablations, augmentation_study.table),
    images=(
        image_grids.examples,
        image_grids.every_expression,
        image_grids.landmarks_of_others,
        augmentation_study.accuracy_plot,
    ),
    verdict=lambda setup, measured: verdict(measured.rows, {name: measured.rows[name] for name in setup.others}),
    warnings=warnings,
    facts=_facts,
)
evaluate = EVALUATION.run
