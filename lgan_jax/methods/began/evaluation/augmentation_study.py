"""Augmentation study: landmark detectors trained on real and generated faces (not in Bazrafkan et al.).

A detector is trained on a share of the real training faces, alone or with generated faces, for the same number of
steps, and tested on real faces of the test split. Generated faces are half of every batch: faces of uniform z, as in
the paper, or of z near those of training images.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import rich.console

from lgan_jax import optimizers
from lgan_jax.config import within
from lgan_jax.data import FaceData
from lgan_jax.evaluation import plots, study
from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.report import ReportImage
from lgan_jax.evaluation.tables import Column, Table, measured_rows
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.began.evaluation.metrics import Measured
from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.metrics.lmk import checked_nme
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.ops.spacing import evenly_spaced
from lgan_jax.training import parallel
from lgan_jax.training.logs.progress import Progress

REAL, BOTH, NEAR = "real", "real and generated", "real and generated near training"
_SEED = 8  # seed of the generated faces
_WARMUP = 50  # warm-up steps, at most a tenth of a training
_MAX_TEST = 2000  # largest number of test faces


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the study.

    Attributes:
      shares: shares of the real training faces to train on, in (0, 1].
      generated: number of generated faces.
      seeds: number of trainings per condition.
      steps, batch_size, width, depth: settings of a training; see `methods.detector`.
      learning_rate: Adam's peak learning rate, with cosine decay.
    """

    shares: tuple[float, ...] = (0.1, 0.5, 1.0)
    generated: int = 2000
    seeds: int = 3
    steps: int = 1500
    batch_size: int = 16
    width: int = 64
    depth: int = 3
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise ValueError(f"shares are {self.shares}; each must be above 0 and at most 1")
        if len(set(self.shares)) < len(self.shares):
            raise ValueError(f"shares are {self.shares}; each must be unique")
        within(self, 1, math.inf, "generated", "seeds", "steps")
        if self.batch_size < 2 or self.batch_size % 2:
            raise ValueError(f"batch_size is {self.batch_size}; half of a batch is generated: it must be even")


@dataclasses.dataclass(frozen=True)
class Result(study.Result):
    """The test error of every detector.

    Attributes:
      error: training faces (`REAL`, `BOTH`, `NEAR`) → share → mean error on test faces, one per seed.
      real, generated, test: numbers of faces.
      steps, batch_size: settings of each training.
    """

    file: ClassVar[str] = "augmentation.json"
    error: Mapping[str, Mapping[float, tuple[float, ...]]]
    real: int
    generated: int
    test: int
    steps: int
    batch_size: int

    @classmethod
    def fields_of(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """See `study.Result`."""
        error = {
            name: {float(share): tuple(values) for share, values in shares.items()}
            for name, shares in stored["error"].items()
        }
        return super().fields_of(stored) | {"error": error}


@dataclasses.dataclass(frozen=True)
class Pool:
    """Training faces: the `indices` of `records` with an image and landmarks."""

    records: Any
    indices: np.ndarray

    def draw(self, rng: np.random.Generator, count: int) -> list[Mapping[str, np.ndarray]]:
        """Samples `count` faces with replacement."""
        return [self.records[int(i)] for i in rng.choice(self.indices, count)]


def run(setup: Setup, console: rich.console.Console | None = None) -> Result:
    """Trains and tests all detectors of the settings, with progress on the console.

    Raises `ValueError` if a detector diverges.
    """
    data, settings, sample = setup.data, setup.settings.study, setup.model.sample
    pools = {BOTH: _pool(sample(_SEED, settings.generated)), NEAR: _pool(sample(_SEED, settings.generated, near=True))}
    tested = evenly_spaced(np.arange(len(data.test)), _MAX_TEST)
    training = _Training(data, settings, [data.test[int(i)] for i in tested])
    total = (1 + len(pools)) * len(settings.shares) * settings.seeds * settings.steps
    progress = Progress("augmentation", 0, total, console or rich.console.Console())
    error: dict[str, dict[float, tuple[float, ...]]] = {REAL: {}, **{name: {} for name in pools}}
    done = 0
    for share in settings.shares:
        count = max(1, round(share * len(data.train)))
        some = Pool(data.train, evenly_spaced(np.arange(len(data.train)), count))
        for name, other in {REAL: some, **pools}.items():
            for seed in range(settings.seeds):
                found = training.error((some, other), seed, progress, done)
                error[name][share] = (*error[name].get(share, ()), found)
                done += settings.steps
                progress.report(done, {"share": share, "generated": float(name != REAL), "error": found}, None)
    progress.close()
    counts = {"real": len(data.train), "generated": settings.generated, "test": len(tested)}
    more = {"steps": settings.steps, "batch_size": settings.batch_size}
    return Result(error, **counts, **more, weights=setup.weights, fingerprint=data.fingerprint)


def _pool(sampled: Any) -> Pool:
    faces = [{"image": each[0], "landmarks": each[1]} for each in zip(to_bytes(sampled.image), sampled.landmarks)]
    return Pool(faces, np.arange(len(faces)))


class _Training:
    """Training and test of a detector, compiled once."""

    def __init__(self, data: FaceData, settings: Settings, tested: Sequence[Mapping[str, np.ndarray]]) -> None:
        schedule = optimizers.Cosine(warmup_steps=min(_WARMUP, settings.steps // 10))
        optimizer = optimizers.Adam(learning_rate=settings.learning_rate, schedule=schedule)
        fields = {name: getattr(settings, name) for name in ("steps", "batch_size", "width", "depth")}
        self._settings, self._info, self._tested = settings, data.info, as_batch(tested)
        self._method = DetectorPhase(DetectorPhase.Settings(optimizer=optimizer, **fields), data.info, jnp.float32, {})
        self._init = jax.jit(self._method.init)
        self._detect = jax.jit(self._method.landmarks)
        self._step = parallel.spread(self._stepped)

    def error(self, pools: tuple[Pool, Pool], seed: int, progress: Progress, before: int) -> float:
        """The mean error on the test faces after a training with half of each batch from either pool."""
        rng, half = np.random.default_rng(seed), self._settings.batch_size // 2
        state, key = None, parallel.replicate(np.int32(seed))
        for step in range(self._settings.steps):
            batch = as_batch([record for pool in pools for record in pool.draw(rng, half)])
            if state is None:
                state = parallel.replicate(self._init(jax.random.key(seed), batch))
            state, metrics = self._step(state, parallel.shard(batch), key)
            parallel.wait(metrics)
            progress.advance(before + step + 1)
        weights = jax.device_put(self._method.weights(parallel.to_host(state)))
        found = in_chunks(lambda chunk: self._detect(weights, chunk), self._tested["image"])
        if not np.isfinite(found).all():
            raise ValueError("a detector of the augmentation study diverged: lower evaluation.study.learning_rate")
        return float(checked_nme(found, self._tested["landmarks"], self._info.scheme).mean())

    def _stepped(self, state: Any, batch: Any, seed: jax.Array) -> tuple[Any, Any]:
        return self._method.train_step(state, batch, jax.random.fold_in(jax.random.key(seed), state.step))


def as_batch(records: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    images, points = (np.stack([record[name] for record in records]) for name in ("image", "landmarks"))
    return {"image": to_floats(images), "landmarks": points.astype(np.float32)}


def table(setup: Setup, measured: Measured) -> Table | None:
    """The study's table: every condition at each share; None without a result of the study."""
    result = measured.study
    if result is None:
        return None
    columns = [
        Column(f"share_{share:g}", f"{share:.0%} of\nthe real", f"mean error, trained on {share:.0%} of the real "
               f"training faces; mean of {_seeds(len(values))}", "lower", 2, True)
        for share, values in result.error[REAL].items()
    ]  # fmt: skip
    rows = {
        f"{name} faces": {f"share_{share:g}": np.array(values) for share, values in each.items()}
        for name, each in result.error.items()
    }
    return Table(
        key="augmentation",
        title="Augmentation with generated faces",
        about=f"Landmark detectors, each trained for {result.steps:,} steps of {result.batch_size} on a share of "
        f"{result.real:,} real faces, alone or with {result.generated:,} generated ones in half of each batch; tested "
        f"on {result.test:,} real test faces. In units of the distance between the outer eye corners.",
        columns=columns,
        rows=measured_rows(rows, columns),
    )


def error_plot(setup: Setup, measured: Measured) -> ReportImage | None:
    """The study's results as a plot."""
    result = measured.study
    if result is None:
        return None
    series = []
    for name, each in reversed(result.error.items()):
        percent = [100 * np.array(values) for values in each.values()]
        means, deviations = ([float(f(values)) for values in percent] for f in (np.mean, np.std))
        series.append(plots.Series(name, means, deviations, [values.tolist() for values in percent]))
    return plots.plot(
        "augmentation",
        "Augmentation with generated faces",
        "Mean error on real test faces of landmark detectors trained on these faces, lower is better; mean over seeds "
        "with its standard deviation, each seed as a small dot.",
        [f"{share:.0%}" for share in result.error[REAL]],
        series,
        "share of the real faces",
        "error in % of the inter-ocular distance",
    )


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"
