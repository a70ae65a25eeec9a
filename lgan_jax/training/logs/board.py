"""Writes TensorBoard event files synchronously, so that a full disk raises an error instead of blocking.

tensorboardX is imported when a board is opened: it imports PyTorch too, where that is installed, which takes seconds.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np


class Board:
    """Scalars and images of one phase. Entries of earlier files after step `start` are invalidated."""

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
