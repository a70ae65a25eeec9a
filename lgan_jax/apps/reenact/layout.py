"""The layout of generated faces in the written frames, and the stage that writes them."""

from __future__ import annotations

import array
import dataclasses
import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from lgan_jax.apps.reenact.stages import GeneratedFrame
from lgan_jax.landmarks import Scheme
from lgan_jax.media import provenance
from lgan_jax.media.output import Output
from lgan_jax.media.paste import edge, matched, paste

_EMPTY = 24  # the gray of a grid's cells that are left over
_LISTED = 10  # frames without a face that are named


@dataclasses.dataclass(frozen=True)
class Layout:
    """The contents of a written image.

    Attributes:
      size: side of each face in pixels.
      side_by_side: with the driving face beside it, or as a grid's first cell.
      paste_back: the face pasted into the driving image.
      match_colours: of a pasted face, to the image around it.
      mark: with the visible mark.
    """

    size: int
    side_by_side: bool = False
    paste_back: bool = False
    match_colours: bool = False
    mark: bool = True

    def image(self, frame: GeneratedFrame, scheme: Scheme) -> np.ndarray:
        """The image to write, uint8 `(H, W, 3)`."""
        if self.paste_back:
            shown = edge([frame.landmarks[0], frame.driving], scheme, frame.faces.shape[1])
            face = matched(frame.faces[0], frame.crop, shown) if self.match_colours else frame.faces[0]
            whole = paste(frame.image, face, shown, frame.transform)
            image = np.concatenate([frame.image, whole], axis=1) if self.side_by_side else whole
        else:
            cells = [frame.crop, *frame.faces] if self.side_by_side else list(frame.faces)
            image = grid([enlarged(cell, self.size) for cell in cells])
        return provenance.mark(image, self.mark)


def columns(count: int) -> int:
    """Of a grid with so many cells."""
    return math.ceil(math.sqrt(count))


def grid(cells: list[np.ndarray]) -> np.ndarray:
    """Equal images row by row, in a grid that is as wide as high or one wider."""
    wide = columns(len(cells))
    empty = np.full_like(cells[0], _EMPTY)
    rows = [cells[start : start + wide] for start in range(0, len(cells), wide)]
    rows[-1] = rows[-1] + [empty] * (wide - len(rows[-1]))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def enlarged(image: np.ndarray, size: int) -> np.ndarray:
    """The image at `size`×`size` pixels: Lanczos, or areas averaged to make it smaller."""
    if image.shape[0] == size:
        return image
    interpolation = cv2.INTER_LANCZOS4 if size > image.shape[0] else cv2.INTER_AREA
    return cv2.resize(image, (size, size), interpolation=interpolation)


class Writer:
    """The last stage: writes an image for every frame, and counts.

    A frame without a face reuses the previous result; frames before the first face show the first result.

    Attributes:
      written: frames so far.
      faceless: how many of them had no face.
      listed: indices of the first of those.
    """

    def __init__(self, output: Output, layout: Layout, scheme: Scheme, stopped: Callable[[], bool]) -> None:
        """`stopped()` says, at the end, whether frames are missing."""
        self._output, self._layout, self._scheme, self._stopped = output, layout, scheme, stopped
        self._last: np.ndarray | None = None
        self._waiting = array.array("q")  # times of the frames before the first face
        self.written, self.faceless, self.listed = 0, 0, []

    def __call__(self, frames: Iterator[GeneratedFrame | int]) -> Iterator[int]:
        """The stage; yields the number of frames written so far."""
        for index, frame in enumerate(frames):
            if isinstance(frame, GeneratedFrame):
                self._last = self._layout.image(frame, self._scheme)
                for time in (*self._waiting, frame.time):
                    self._write(time)
                del self._waiting[:]
            else:
                self.faceless += 1
                self.listed += [index] * (self.faceless <= _LISTED)
                if self._last is None:
                    self._waiting.append(frame)
                else:
                    self._write(frame)
            yield self.written
        self._output.finish(complete=not self._stopped())

    def _write(self, time: int) -> None:
        self._output.write(self._last, time)
        self.written += 1
