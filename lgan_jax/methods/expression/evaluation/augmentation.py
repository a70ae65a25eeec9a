"""Table 4 of Li et al.: what made faces add to the real ones that an expression classifier learns from.

The classifier is trained on the training people's real faces, and as many times more made ones as a factor says: each
of a real source with the landmarks and the expression of another training person. It is tested on the real faces of
test people, whom neither it nor the model has seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import rich.console
from jaxtyping import Int

from lgan_jax.data import FaceData, Split
from lgan_jax.evaluation import outcomes, plots
from lgan_jax.evaluation.report import Sheet
from lgan_jax.evaluation.tables import Column, Row, Table
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.expression.evaluation.measures import Model
from lgan_jax.metrics import expression_classifier as classifiers
from lgan_jax.metrics.expression_classifier import Grey, prepared
from lgan_jax.metrics.summary import Figure
from lgan_jax.training.logs.progress import Progress

PAPER = {0: 67.3, 1: 68.6, 5: 71.4, 10: 76.2, 100: 76.2}  # Table 4: accuracy in percent on Oulu-CASIA
_SEED = 4  # of who lends landmarks and expression to whom


@dataclasses.dataclass(frozen=True)
class Outcome(outcomes.Outcome):
    """What the experiment found.

    Attributes:
      accuracy: factor → share of test faces whose expression is recognised, one for each seed.
      real, held_out: how many real faces the classifier learned from, and was tested on.
      steps, batch_size: of each training, whatever the factor.
    """

    file: ClassVar[str] = "augmentation.json"
    accuracy: Mapping[int, tuple[float, ...]]
    real: int
    held_out: int
    steps: int
    batch_size: int

    def as_json(self) -> dict[str, Any]:
        """The fields, with mean, spread and the paper's figures beside them."""
        return super().as_json() | {
            "mean": {factor: float(np.mean(values)) for factor, values in self.accuracy.items()},
            "spread": {factor: float(np.std(values)) for factor, values in self.accuracy.items()},
            "paper": {factor: value / 100 for factor, value in PAPER.items()},
        }

    @classmethod
    def fields_of(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """See `outcomes.Outcome`."""
        accuracy = {int(factor): tuple(values) for factor, values in stored["accuracy"].items()}
        return super().fields_of(stored) | {"accuracy": accuracy}


class Pool:
    """Real faces of the training split and, after them, made ones without end, which are made when first asked for.

    Face n·k + i, of n real ones, is made of source i; who lends landmarks and expression follows from its number alone.
    """

    def __init__(self, model: Model, split: Split) -> None:
        """Raises `ValueError` where there are fewer than two people."""
        if len(np.unique(split.identity)) < 2:
            raise ValueError("made faces need the landmarks of other people, and there is one to train on only")
        self._model, self._split = model, split
        self._faces = dict(enumerate(faces_of(split)))
        self._labels = dict(enumerate(split.expression.tolist()))

    def __call__(self, chosen: Int[np.ndarray, " k"]) -> tuple[Grey, Int[np.ndarray, " k"]]:
        """The faces of these numbers, prepared, and their expressions."""
        if new := sorted(set(chosen.tolist()) - self._faces.keys()):
            self._make(new)
        return np.stack([self._faces[i] for i in chosen]), np.array([self._labels[i] for i in chosen])

    def _make(self, numbers: Sequence[int]) -> None:
        sources = [self._split[number % len(self._split)] for number in numbers]
        lenders = [self._split[self._lender(number)] for number in numbers]
        labels = np.array([record["expression"] for record in lenders])
        made = self._model.synthesize(
            to_floats(np.stack([record["image"] for record in sources])),
            np.stack([record["landmarks"] for record in lenders]).astype(np.float32),
            labels,
        )
        self._faces.update(zip(numbers, prepared(to_bytes(made))))
        self._labels.update(zip(numbers, labels.tolist()))

    def _lender(self, number: int) -> int:
        rng, identity = np.random.default_rng((_SEED, number)), self._split.identity
        while identity[place := int(rng.integers(len(identity)))] == identity[number % len(identity)]:
            pass
        return place


def faces_of(split: Split) -> Grey:
    """All faces of a split as the classifier takes them."""
    return np.concatenate([prepared(split[i]["image"][None]) for i in range(len(split))])


def trained_on_real(data: FaceData, settings: classifiers.Settings) -> classifiers.Classifier:
    """The classifier that judges made faces: of the real training faces alone."""
    faces, labels = faces_of(data.train), data.train.expression
    return classifiers.train(len(faces), lambda chosen: (faces[chosen], labels[chosen]), settings, 0)


def run(
    model: Model,
    data: FaceData,
    settings: classifiers.Settings,
    factors: Sequence[int],
    seeds: int,
    weights: str,
    console: rich.console.Console | None = None,
) -> Outcome:
    """Trains and tests a classifier for every factor and seed, and says on the console how far it is.

    Args:
      model: makes the faces.
      data: whose training people teach, and whose test split tests.
      settings: of the classifier.
      factors: how many times as many made faces as real ones are added.
      seeds: trainings for each factor.
      weights: which the model has, for the record.
      console: to say it on.
    """
    pool, test = Pool(model, data.train), faces_of(data.test)
    total = len(factors) * seeds * settings.steps
    progress = Progress("augmentation", 0, total, console or rich.console.Console())
    accuracy: dict[int, tuple[float, ...]] = {}
    done = 0
    for factor in factors:
        count = len(data.train) * (1 + factor)
        for seed in range(seeds):
            start = done
            classifier = classifiers.train(
                count, pool, settings, seed, lambda step, start=start: progress.advance(start + step)
            )
            right = float(np.mean(classifier(test) == data.test.expression))
            accuracy[factor] = (*accuracy.get(factor, ()), right)
            done += settings.steps
            progress.report(done, {"made faces, times": float(factor), "seed": float(seed), "accuracy": right}, None)
    progress.close()
    return Outcome(
        accuracy=accuracy,
        real=len(data.train),
        held_out=len(data.test),
        steps=settings.steps,
        batch_size=settings.batch_size,
        weights=weights,
        fingerprint=data.fingerprint,
    )


def table(outcome: Outcome, on_oulu_casia: bool) -> Table:
    """Table 4, beside the paper's."""
    seeds = len(next(iter(outcome.accuracy.values())))
    where = "Oulu-CASIA" if on_oulu_casia else "Oulu-CASIA, another data set and not comparable"
    return Table(
        key="augmentation",
        title="Made faces to learn from (Table 4)",
        about=f"A classifier of expressions, trained on {outcome.real:,} real faces and so many times as many made "
        f"ones, {outcome.steps:,} steps of {outcome.batch_size} whatever the number; tested on {outcome.held_out:,} "
        f"real faces of test people. {seeds} seeds each.",
        columns=[
            Column("accuracy", "accuracy", f"share of the test faces whose expression is recognised, mean of "
                   f"{seeds} seeds", "higher", 1, True),
            Column("spread", "spread", "standard deviation over the seeds", "neither", 1, True),
            Column("lowest", "lowest", "the worst seed", "neither", 1, True),
            Column("highest", "highest", "the best seed", "neither", 1, True),
            Column("paper", "paper", f"as published (Li et al., Table 4), on {where}", "neither", 1, True),
        ],
        rows=[Row(_named(factor), _figures(factor, values)) for factor, values in outcome.accuracy.items()],
    )  # fmt: skip


def sheet(outcome: Outcome) -> Sheet:
    """The same as a plot."""
    factors, values = list(outcome.accuracy), np.array(list(outcome.accuracy.values())) * 100
    picture = plots.plot(
        [str(factor) for factor in factors],
        [
            plots.Series("this run", values.mean(1).tolist(), values.std(1).tolist(), values.tolist()),
            plots.Series("paper, Oulu-CASIA", [PAPER.get(factor, np.nan) for factor in factors]),
        ],
        "made faces, times as many as real ones",
        "accuracy in %",
    )
    return Sheet(
        name="augmentation",
        title="Made faces to learn from",
        caption="The figures of Table 4: the mean of the seeds with its standard deviation, each seed as a small dot.",
        image=picture,
    )


def _named(factor: int) -> str:
    return "real faces alone" if factor == 0 else "1 time" if factor == 1 else f"{factor} times"


def _figures(factor: int, values: Sequence[float]) -> dict[str, Figure]:
    count = len(values)
    figures = {
        "accuracy": Figure(float(np.mean(values)), float(np.std(values)), count, count),
        "spread": Figure(float(np.std(values)), None, count, count),
        "lowest": Figure(min(values), None, count, count),
        "highest": Figure(max(values), None, count, count),
    }
    return figures | ({"paper": Figure(PAPER[factor] / 100, None, count, count)} if factor in PAPER else {})
