"""What Bazrafkan et al. claim and do not test: that a landmark detector learns from made faces beside real ones.

A detector is trained on a share of the real training faces, alone and with made faces beside them, for as many steps
either way, and tested on real held-out faces. Where there are made faces, they are half of every batch.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import rich.console

from lgan_jax import optimizers
from lgan_jax.data import FaceData
from lgan_jax.data.kept import evenly
from lgan_jax.evaluation import plots
from lgan_jax.evaluation.began.measures import Landmarks, Pictures, landmark_error
from lgan_jax.evaluation.pictures import to_bytes, to_floats
from lgan_jax.evaluation.report import Sheet
from lgan_jax.evaluation.tables import Column, Row, Table
from lgan_jax.methods.detector.method import Detector
from lgan_jax.methods.detector.model import LandmarkDetector
from lgan_jax.metrics.summary import Figure
from lgan_jax.training import parallel
from lgan_jax.training.logs.progress import Progress

FILE = "claim.json"
REAL, BOTH = "real", "real and made"
_SEED = 8  # of the made faces


@dataclasses.dataclass(frozen=True)
class Settings:
    """The experiment.

    Attributes:
      shares: of the real training faces that a detector learns from, in (0, 1].
      made: how many made faces there are beside them.
      seeds: trainings of each.
      steps, batch_size, width, depth, learning_rate: of a training; see `methods.detector`.
    """

    shares: tuple[float, ...] = (0.1, 0.5, 1.0)
    made: int = 2000
    seeds: int = 3
    steps: int = 1500
    batch_size: int = 16
    width: int = 64
    depth: int = 3
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise ValueError(f"shares are {self.shares}; each must be above 0 and at most 1")
        for name in ("made", "seeds", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.batch_size < 2 or self.batch_size % 2:
            raise ValueError(f"batch_size is {self.batch_size}; half of a batch is made: it must be even")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was found.

    Attributes:
      error: what was learned from (`REAL`, `BOTH`) → share → mean error on held-out faces, one for each seed.
      real, made, held_out: how many faces there are in all.
      steps, batch_size: of each training.
      weights: which weights of the model made the faces.
      fingerprint: of the data.
    """

    error: Mapping[str, Mapping[float, tuple[float, ...]]]
    real: int
    made: int
    held_out: int
    steps: int
    batch_size: int
    weights: str
    fingerprint: str


Pool = tuple[Pictures, Landmarks]


@runtime_checkable
class Sampler(Protocol):
    """What is needed of a model; see `methods.began.model.LandmarkedFaces`."""

    def sample(self, seed: int, count: int) -> Any:
        """Made faces by number: `image` in [-1, 1], `landmarks` in [0, 1]."""


def run(
    model: Sampler, data: FaceData, settings: Settings, weights: str, console: rich.console.Console | None = None
) -> Outcome:
    """Trains and tests all detectors, and says on the console how far it is; `weights` is for the record."""
    real, test = (_pool(split) for split in (data.train, data.test))
    sampled = model.sample(_SEED, settings.made)
    made = to_bytes(sampled.image), np.asarray(sampled.landmarks)
    training = _Training(data, settings)
    total = 2 * len(settings.shares) * settings.seeds * settings.steps
    progress = Progress("claim", 0, total, console or rich.console.Console())
    error: dict[str, dict[float, tuple[float, ...]]] = {REAL: {}, BOTH: {}}
    done = 0
    for share in settings.shares:
        kept = evenly(np.arange(len(real[0])), max(1, round(share * len(real[0]))))
        some = real[0][kept], real[1][kept]
        for name, pools in ((REAL, (some, some)), (BOTH, (some, made))):
            for seed in range(settings.seeds):
                found = training.error(pools, test, seed)
                error[name][share] = (*error[name].get(share, ()), found)
                done += settings.steps
                progress.report(done, {"share": share, "made too": float(name == BOTH), "error": found}, None)
    progress.close()
    counts = {"real": len(real[0]), "made": settings.made, "held_out": len(test[0])}
    more = {"steps": settings.steps, "batch_size": settings.batch_size}
    return Outcome(error, **counts, **more, weights=weights, fingerprint=data.fingerprint)


class _Training:
    """A detector's training, compiled once."""

    def __init__(self, data: FaceData, settings: Settings) -> None:
        optimizer = optimizers.Settings(
            name="adam", learning_rate=settings.learning_rate, schedule="cosine", warmup=min(50, settings.steps - 1)
        )
        fields = {name: getattr(settings, name) for name in ("steps", "batch_size", "width", "depth")}
        self._settings, self._info = settings, data.info
        self._method = Detector(Detector.Settings(optimizer=optimizer, **fields), data.info, jnp.float32, {})
        self._init = jax.jit(self._method.init)
        self._step = parallel.spread(self._stepped)

    def error(self, pools: tuple[Pool, Pool], test: Pool, seed: int) -> float:
        """The mean error on the test's faces after a training, half of whose batches come from each pool."""
        rng, half = np.random.default_rng(seed), self._settings.batch_size // 2
        state, key = None, parallel.replicate(np.int32(seed))
        for _ in range(self._settings.steps):
            batch = _batch(pools, [rng.integers(0, len(pool[0]), half) for pool in pools])
            if state is None:
                state = parallel.replicate(self._init(jax.random.key(seed), batch))
            state, metrics = self._step(state, parallel.shard(batch), key)
            parallel.wait(metrics)
        detector = LandmarkDetector(self._info, self._method, jax.device_put(parallel.to_host(state)))
        found = detector.detect(to_floats(test[0]))
        return float(landmark_error(found, test[1], self._info.scheme).mean())

    def _stepped(self, state: Any, batch: Any, seed: jax.Array) -> tuple[Any, Any]:
        return self._method.train_step(state, batch, jax.random.fold_in(jax.random.key(seed), state.step))


def _pool(split: Any) -> Pool:
    """All faces of a split."""
    records = [split[i] for i in range(len(split))]
    return np.stack([each["image"] for each in records]), np.stack([each["landmarks"] for each in records])


def _batch(pools: tuple[Pool, Pool], chosen: list[np.ndarray]) -> dict[str, np.ndarray]:
    images, points = (np.concatenate([pool[i][rows] for pool, rows in zip(pools, chosen)]) for i in (0, 1))
    return {"image": to_floats(images), "landmarks": points.astype(np.float32)}


def write(outcome: Outcome, out: Path) -> None:
    """Writes the file into the folder of the report, the whole file or nothing."""
    out.mkdir(parents=True, exist_ok=True)
    part = out / f".{FILE}"
    part.write_text(json.dumps(dataclasses.asdict(outcome), indent=2) + "\n")
    part.replace(out / FILE)


def read(out: Path, weights: str, fingerprint: str) -> tuple[Outcome | None, list[str]]:
    """What an earlier experiment found with the same weights and data, if there was one, and a warning if it differs.

    Raises `ValueError` where the file cannot be read.
    """
    if not (out / FILE).exists():
        return None, []
    try:
        stored = json.loads((out / FILE).read_text())
        stored["error"] = {
            name: {float(share): tuple(values) for share, values in each.items()}
            for name, each in stored["error"].items()
        }
        outcome = Outcome(**stored)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{out / FILE} cannot be read ({error!r}): delete it, or give --augmentation again") from None
    if (outcome.weights, outcome.fingerprint) != (weights, fingerprint):
        return None, [f"{FILE} is of other weights or data, and not shown here: give --augmentation again."]
    return outcome, []


def table(outcome: Outcome) -> Table:
    """Both kinds of training at each share."""
    return Table(
        key="claim",
        title="Made faces to learn from",
        about=f"Landmark detectors, each trained for {outcome.steps:,} steps of {outcome.batch_size} on a share of "
        f"{outcome.real:,} real faces, alone or with {outcome.made:,} made ones in half of each batch; tested on "
        f"{outcome.held_out:,} real held-out faces. In units of the distance between the outer eye corners.",
        columns=[
            Column(f"share_{share:g}", f"{share:.0%} of\nthe real", f"mean error, learned from {share:.0%} of the real "
                   "training faces; mean of the seeds", "lower", 2, True)
            for share in outcome.error[REAL]
        ],
        rows=[
            Row(name, {f"share_{share:g}": _figure(values) for share, values in each.items()})
            for name, each in outcome.error.items()
        ],
    )  # fmt: skip


def sheet(outcome: Outcome) -> Sheet:
    """The same as a plot."""
    picture = plots.plot(
        [f"{share:.0%}" for share in outcome.error[REAL]],
        [
            plots.Series(
                f"{name} faces",
                [100 * float(np.mean(values)) for values in each.values()],
                [100 * float(np.std(values)) for values in each.values()],
                [[100 * value for value in values] for values in each.values()],
            )
            for name, each in ((name, outcome.error[name]) for name in (BOTH, REAL))
        ],
        "share of the real faces",
        "error in % of the distance of the eyes",
    )
    return Sheet(
        name="claim",
        title="Made faces to learn from",
        caption="Mean error of landmark detectors on real held-out faces, with the seeds' standard deviation; each "
        "seed as a small dot.",
        image=picture,
    )


def _figure(values: tuple[float, ...]) -> Figure:
    return Figure(float(np.mean(values)), float(np.std(values)), len(values), len(values))
