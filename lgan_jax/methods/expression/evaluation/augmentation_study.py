"""Table 4 of Li et al.: expression classifiers trained on real and synthesized faces.

The classifier is trained on the training people's real faces, and as many times more synthesized ones as a factor says:
each of a real source with the landmarks and the expression of another training person. It is tested on the real faces
of test people, whom neither it nor the model has seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import rich.console
from jaxtyping import Int

from lgan_jax.data import FaceData, Split
from lgan_jax.evaluation import plots, study
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.report import ReportImage
from lgan_jax.evaluation.tables import Column, Table, Values, measured_rows, scalar
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.expression.evaluation.metrics import Measured
from lgan_jax.metrics import expression_classifier as classifiers
from lgan_jax.metrics.expression_classifier import Gray, prepared
from lgan_jax.protocols import GuidedSynthesizer
from lgan_jax.training.logs.progress import Progress

PAPER = {0: 67.3, 1: 68.6, 5: 71.4, 10: 76.2, 100: 76.2}  # Table 4: accuracy in percent on Oulu-CASIA
_SEED = 4  # of the random pairs of source and lender


@dataclasses.dataclass(frozen=True)
class Result(study.Result):
    """The accuracy of every classifier.

    Attributes:
      accuracy: factor → share of test faces whose expression is recognized, one for each seed.
      real, test: how many real faces the classifier learned from, and was tested on.
      steps, batch_size: of each training, whatever the factor.
    """

    file: ClassVar[str] = "augmentation.json"
    accuracy: Mapping[int, tuple[float, ...]]
    real: int
    test: int
    steps: int
    batch_size: int

    def as_json(self) -> dict[str, Any]:
        """The fields, with mean, deviation and the paper's values beside them."""
        return super().as_json() | {
            "mean": {factor: float(np.mean(values)) for factor, values in self.accuracy.items()},
            "deviation": {factor: float(np.std(values)) for factor, values in self.accuracy.items()},
            "paper": {factor: value / 100 for factor, value in PAPER.items()},
        }

    @classmethod
    def fields_of(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """See `study.Result`."""
        accuracy = {int(factor): tuple(values) for factor, values in stored["accuracy"].items()}
        return super().fields_of(stored) | {"accuracy": accuracy}


class Pool:
    """Real faces of the training split and, after them, endless synthesized ones, each synthesized on first use.

    Face n·k + i, of n real ones, has source i; who lends landmarks and expression follows from its number alone.
    """

    def __init__(self, model: GuidedSynthesizer, split: Split) -> None:
        """Raises `ValueError` where there are fewer than two people."""
        if len(np.unique(split.identity)) < 2:
            raise ValueError(
                "synthesized faces need the landmarks of other people, and the training split has one person"
            )
        self._model, self._split = model, split
        self._faces = dict(enumerate(faces_of(split)))
        self._labels = dict(enumerate(split.expression.tolist()))

    def __call__(self, chosen: Int[np.ndarray, " k"]) -> tuple[Gray, Int[np.ndarray, " k"]]:
        """The faces of these numbers, prepared, and their expressions."""
        if new := sorted(set(chosen.tolist()) - self._faces.keys()):
            self._synthesize(new)
        return np.stack([self._faces[i] for i in chosen]), np.array([self._labels[i] for i in chosen])

    def _synthesize(self, numbers: Sequence[int]) -> None:
        sources = [self._split[number % len(self._split)] for number in numbers]
        lenders = [self._split[self._lender(number)] for number in numbers]
        labels = np.array([record["expression"] for record in lenders])
        images = self._model.synthesize(
            to_floats(np.stack([record["image"] for record in sources])),
            np.stack([record["landmarks"] for record in lenders]).astype(np.float32),
            labels,
        )
        self._faces.update(zip(numbers, prepared(to_bytes(images))))
        self._labels.update(zip(numbers, labels.tolist()))

    def _lender(self, number: int) -> int:
        rng, identity = np.random.default_rng((_SEED, number)), self._split.identity
        while identity[index := int(rng.integers(len(identity)))] == identity[number % len(identity)]:
            pass
        return index


def faces_of(split: Split) -> Gray:
    """All faces of a split as the classifier takes them."""
    return np.concatenate([prepared(split[i]["image"][None]) for i in range(len(split))])


def trained_on_real(data: FaceData, settings: classifiers.Settings) -> classifiers.Classifier:
    """The classifier that evaluates synthesized faces: of the real training faces alone."""
    faces, labels = faces_of(data.train), data.train.expression
    return classifiers.train(len(faces), lambda chosen: (faces[chosen], labels[chosen]), settings, 0)


def run(setup: Setup, console: rich.console.Console | None = None) -> Result:
    """Trains and tests a classifier for every factor and seed of the settings; the progress is shown on the console."""
    data, settings, classifier = setup.data, setup.settings, setup.settings.classifier
    pool, test = Pool(setup.model, data.train), faces_of(data.test)
    total = len(settings.factors) * settings.seeds * classifier.steps
    progress = Progress("augmentation", 0, total, console or rich.console.Console())
    accuracy: dict[int, tuple[float, ...]] = {}
    done = 0
    for factor in settings.factors:
        count = len(data.train) * (1 + factor)
        for seed in range(settings.seeds):
            start = done
            trained = classifiers.train(
                count, pool, classifier, seed, lambda step, start=start: progress.advance(start + step)
            )
            right = float(np.mean(trained(test) == data.test.expression))
            accuracy[factor] = (*accuracy.get(factor, ()), right)
            done += classifier.steps
            progress.report(done, {"synthesized, times": float(factor), "seed": float(seed), "accuracy": right}, None)
    progress.close()
    return Result(
        accuracy=accuracy,
        real=len(data.train),
        test=len(data.test),
        steps=classifier.steps,
        batch_size=classifier.batch_size,
        weights=setup.weights,
        fingerprint=data.fingerprint,
    )


def table(setup: Setup, measured: Measured) -> Table | None:
    """Table 4, beside the paper's; None without a result of the study."""
    result = measured.study
    if result is None:
        return None
    seeds = len(next(iter(result.accuracy.values())))
    where = "Oulu-CASIA" if setup.data.name == "Oulu-CASIA" else "Oulu-CASIA, another data set and not comparable"
    columns = [
        Column("accuracy", "accuracy", f"share of the test faces whose expression is recognized, mean of {seeds} "
               "seeds", "higher", 1, True),
        Column("deviation", "deviation", "standard deviation over the seeds", "neither", 1, True),
        Column("lowest", "lowest", "the worst seed", "neither", 1, True),
        Column("highest", "highest", "the best seed", "neither", 1, True),
        Column("paper", "paper", f"as published (Li et al., Table 4), on {where}", "neither", 1, True),
    ]  # fmt: skip
    return Table(
        key="augmentation",
        title="Augmentation with synthesized faces (Table 4)",
        about=f"A classifier of expressions, trained on {result.real:,} real faces and so many times as many "
        f"synthesized ones, {result.steps:,} steps of {result.batch_size} whatever the number; tested on "
        f"{result.test:,} real faces of test people. {seeds} seeds each.",
        columns=columns,
        rows=measured_rows(
            {_named(factor): _values(factor, each) for factor, each in result.accuracy.items()}, columns
        ),
    )


def accuracy_plot(setup: Setup, measured: Measured) -> ReportImage | None:
    """The same as a plot."""
    result = measured.study
    if result is None:
        return None
    factors, values = list(result.accuracy), np.array(list(result.accuracy.values())) * 100
    return plots.plot(
        "augmentation",
        "Augmentation with synthesized faces",
        "The values of Table 4: the mean of the seeds with its standard deviation, each seed as a small dot.",
        [str(factor) for factor in factors],
        [
            plots.Series("this run", values.mean(1).tolist(), values.std(1).tolist(), values.tolist()),
            plots.Series("paper, Oulu-CASIA", [PAPER.get(factor, np.nan) for factor in factors]),
        ],
        "synthesized faces, times as many as real ones",
        "accuracy in %",
    )


def _named(factor: int) -> str:
    return "real faces alone" if factor == 0 else "1 time" if factor == 1 else f"{factor} times"


def _values(factor: int, values: Sequence[float]) -> Values:
    count = len(values)
    means = {"deviation": np.std(values), "lowest": min(values), "highest": max(values)}
    means |= {"paper": PAPER[factor] / 100} if factor in PAPER else {}
    return {"accuracy": np.array(values)} | {key: scalar(value, count, count) for key, value in means.items()}
