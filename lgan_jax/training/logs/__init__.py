"""Logs of a run: progress on the console, TensorBoard, `metrics.jsonl`, images and `preview.html`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from lgan_jax.training.logs import metrics_file, preview
from lgan_jax.training.logs.progress import Progress

Values = Mapping[str, Any]  # of metrics: scalars, or arrays with one value for each identity


class Log:
    """The log of one phase. Use as a context manager.

    Opening the log removes entries of the phase after `start`, written by an interrupted run.
    """

    def __init__(self, workdir: Path, phase: str, start: int, steps: int, console: Console):
        self.workdir, self._phase, self._start, self._steps = workdir, phase, start, steps
        self._metrics = workdir / "metrics.jsonl"
        metrics_file.rewind(self._metrics, phase, start)
        preview.rewind_images(workdir / "images" / phase, start)
        self._preview = preview.Preview(workdir, metrics_file.read(self._metrics))
        self._board = Board(workdir / "tensorboard" / phase, start)
        self._console = console

    def __enter__(self) -> Log:
        self._began = time.monotonic()
        self._progress = Progress(self._phase, self._start, self._steps, self._console)
        return self

    def __exit__(self, kind, *_) -> None:
        self._progress.close()
        self._board.close()
        self._preview.write(running=False)

    def advance(self, step: int) -> None:
        """Shows that a step was started."""
        self._progress.advance(step)

    def doing(self, what: str) -> None:
        """Shows the activity between steps, such as "compiling"; empty for none."""
        self._progress.doing(what)

    def train(self, step: int, values: Mapping[str, float], pace: tuple[float, float] | None) -> None:
        """Logs the means of the metrics since the previous line; `pace` is images per second and seconds left."""
        speed = {"images_per_second": round(pace[0], 3)} if pace else {}
        self._write("train", step, values, **speed)
        self._progress.report(step, values, pace)

    def evaluation(
        self,
        step: int,
        values: Values,
        names: Sequence[str] = (),
        which: Mapping[str, Callable] | None = None,
    ) -> None:
        """Logs the metrics of the validation batches: their means, and for metrics in `which` the worst identity.

        `metrics.jsonl` has the values of each identity, and the worst as metrics `<name>_worst`.
        """
        mean, extreme = means(values), worst(values, names, which or {})
        each = of_each(values, names)
        more = {"identities": each} if each else {}
        self._write("eval", step, {**mean, **{f"{name}_worst": value for name, (_, value) in extreme.items()}}, **more)
        text = "  ".join(f"{name} {value:.4g}" for name, value in mean.items())
        if extreme:
            text += ";  worst: " + "  ".join(f"{who} {name} {value:.4g}" for name, (who, value) in extreme.items())
        self._progress.say(f"{self._phase} {step:,}/{self._steps:,}  evaluation: {text}")

    def say(self, line: str) -> None:
        """Prints a line on the console."""
        self._progress.say(f"{self._phase}: {line}")

    def sample_images(self, step: int, grids: Mapping[str, np.ndarray]) -> None:
        """Logs image grids, each `(rows, columns, H, W, 3)` in [-1, 1]."""
        for name, cells in grids.items():
            image = preview.image_grid(cells)
            preview.save_image(self.workdir / "images" / self._phase / name, step, image)
            self._board.image(name, image, step)
        self._board.flush()
        self._preview.write(running=True)

    def _write(self, kind: str, step: int, values: Mapping[str, float], **more: Any) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        line = {"phase": self._phase, "step": step, "kind": kind, "values": dict(values), "seconds": seconds, **more}
        metrics_file.append(self._metrics, line)
        self._preview.add(line)
        for name, value in values.items():
            self._board.scalar(f"{kind}/{name}", value, step)
        self._board.flush()
        self._preview.write_if_due()


class Board:
    """TensorBoard event files of one phase. Entries of earlier files after step `start` are invalidated.

    They are written synchronously, so that a full disk raises an error instead of blocking. tensorboardX is imported
    when a board is opened: it imports PyTorch too, where that is installed, which takes seconds.
    """

    def __init__(self, folder: Path, start: int):
        from tensorboardX import summary
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2

        self._summary, self._proto = summary, event_pb2
        folder.mkdir(parents=True, exist_ok=True)
        self._events = EventsWriter(str(folder / "events"), f".{time.time_ns()}")
        if start:
            log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._write(start + 1, session_log=log)

    def scalar(self, name: str, value: float, step: int) -> None:
        """Adds a point to a curve."""
        self._write(step, summary=self._summary.scalar(name, value))

    def image(self, name: str, image: np.ndarray, step: int) -> None:
        """Adds a uint8 RGB image `(H, W, 3)`."""
        self._write(step, summary=self._summary.image(name, image, dataformats="HWC"))

    def flush(self) -> None:
        """Flushes the file."""
        self._events.flush()

    def close(self) -> None:
        """Closes the file."""
        self._events.close()

    def _write(self, step: int, **content) -> None:
        self._events.write_event(self._proto.Event(wall_time=time.time(), step=step, **content))


def means(values: Values) -> dict[str, float]:
    """Means over the identities; scalars are unchanged."""
    return {name: float(np.mean(value)) for name, value in values.items()}


def of_each(values: Values, identities: Sequence[str]) -> dict[str, dict[str, float]]:
    """Identity → metric → value, of the metrics with one value per identity."""
    arrays = {name: value for name, value in values.items() if np.ndim(value)}
    return {who: {name: float(x[i]) for name, x in arrays.items()} for i, who in enumerate(identities) if arrays}


def worst(values: Values, identities: Sequence[str], which: Mapping[str, Callable]) -> dict[str, tuple[str, float]]:
    """Metric → the worst identity and its value: a non-finite value, or the `max` or `min`.

    Empty for a single identity.
    """
    found = {}
    for name, choose in which.items():
        value = np.asarray(values[name], np.float64)
        value = np.where(np.isfinite(value), value, np.inf if choose is max else -np.inf)
        if value.size > 1:
            place = int(np.argmax(value) if choose is max else np.argmin(value))
            found[name] = identities[place], float(values[name][place])
    return found
