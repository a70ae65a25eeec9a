"""The progress of a projection on the console, and the message for a search that diverged."""

from __future__ import annotations

import numpy as np
from rich.console import Console

from lgan_jax.inversion import Progress
from lgan_jax.training.interrupts import Interrupts
from lgan_jax.training.logs.progress import Progress as Bar

DIVERGED = (
    "the search diverged, its loss is no finite number; smaller weights may help "
    "(--look-weight, --landmark-weight, --weight), or another --seed"
)


class Interrupted(Exception):
    """The user wants to stop."""


class Tracks:
    """Reports the progress of a search, and records the styles along it."""

    def __init__(self, steps: int, examples: int) -> None:
        self._steps = steps
        self._bar = Bar("projecting", 0, steps * examples, Console())
        self._styles: list[list[np.ndarray]] = [[] for _ in range(examples)]
        self._last = [-1] * examples

    def report(self, progress: Progress) -> None:
        """What `Projector` calls."""
        styles = np.array(progress.parameters["style"])  # a copy: the buffers are used again
        for example, step, style in zip(progress.example, progress.step, styles):
            if step > self._last[example]:
                self._last[example] = step
                self._styles[example].append(style)
        self._bar.report(sum(max(int(step), 0) for step in self._last), _means(progress), None)

    def of_best(self, restart: np.ndarray) -> list[np.ndarray]:
        """For each pair the styles `(frames, features)` that its best restart passed through."""
        restarts = len(self._styles) // len(restart)
        return [np.stack(self._styles[i * restarts + best]) for i, best in enumerate(restart)]

    def close(self) -> None:
        """Leaves the bar as it stands."""
        self._bar.close()


class Frames:
    """Reports the progress of a video, and stops it when the user presses Ctrl-C.

    Attributes:
      written: frames so far.
      held: those of them that reuse the previous result.
    """

    def __init__(self, frames: int, interrupts: Interrupts) -> None:
        self.written = self.held = 0
        self._console, self._interrupts = Console(), interrupts
        self._bar = Bar("frames", 0, frames, self._console)
        self._figures: dict[str, float] = {}

    def check(self) -> None:
        """Raises `Interrupted` where the user wants to stop."""
        if self._interrupts.signal_number is not None:
            raise Interrupted

    def search(self, progress: Progress) -> None:
        """What `Projector` calls; steps are shown on a terminal alone. Raises as `check`."""
        self._figures = _means(progress)
        if self._console.is_terminal:
            self._bar.report(self.written, self._figures, None)
        self.check()

    def frame(self, fresh: bool) -> None:
        """Counts one more written frame; `fresh` if its image was generated for it."""
        self.written, self.held = self.written + 1, self.held + (not fresh)
        self._bar.report(self.written, self._figures, None)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        self._bar.close()


def _means(progress: Progress) -> dict[str, float]:
    terms = {name: float(np.mean(values)) for name, values in progress.terms.items()}
    return {"loss": float(np.mean(progress.loss)), **terms}
