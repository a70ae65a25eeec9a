"""CK+: 593 sequences of 123 people who pose an expression, 327 of them with a label.

    <root>/cohn-kanade-images/S###/###/S###_###_########.png
    <root>/Emotion/S###/###/*_emotion.txt                   one number: see `LABELS`
    <root>/Landmarks/S###/###/*_landmarks.txt               optional: x y of 68 points in pixels, a line each

The folders may lie one level deeper, where each archive is unpacked into its own.
Source: Lucey et al., "The extended Cohn-Kanade dataset (CK+)", CVPR Workshops 2010, as its owners distribute it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data.builders import base, posed
from lgan_jax.data.split import HeldOut
from lgan_jax.landmarks import IBUG68, inter_ocular
from lgan_jax.media import files

IMAGES, EMOTIONS, LANDMARKS = "cohn-kanade-images", "Emotion", "Landmarks"
LABELS = EXPRESSIONS  # a label is an index into it: the owners number them in the same order
_LABELS = "*_emotion.txt"
_APART = 0.3  # largest mean distance of the owners' points from dlib's, in inter-ocular distances


class CKPlus(posed.Posed, skip_registration=True):
    """CK+: the first and last frames of the labeled sequences; see `posed.Posed`.

    Landmarks are dlib's, as in the paper. If the owners' points are present, they must lie on the same face.

    Also skipped, counted and named: sequences without a label, with several, or with a label that is not a number from
    0 to 7 or belongs to another sequence; labels without a sequence; frames whose point file has not 68 points, or
    points off the detected face.

    Raises `FileNotFoundError` or `ValueError` for a folder that is missing or has another layout.
    """

    def __init__(self, root: Path, cache: Path, held_out: HeldOut):
        images, emotions = (posed.folder(root, path, "CK+") for path in (IMAGES, EMOTIONS))
        self.points = _landmark_folder(root)
        left_out: list[tuple[str, str]] = []
        recordings = list(read_recordings(images, emotions, left_out))
        others = [
            *files.listed(emotions, "*/*/*.txt"),
            *(files.listed(self.points, "*/*/*.txt") if self.points else ()),
        ]
        super().__init__(root, cache, "ck-plus", recordings, others, held_out)
        for reason, name in left_out:
            self.skip(reason, name)

    def compare(self, path, points):
        """See `Posed`."""
        file = self.points and self.points / path.parent.parent.name / path.parent.name / f"{path.stem}_landmarks.txt"
        if not file or not file.exists():
            return
        try:
            theirs = np.array(base.read_text(file).split(), np.float32).reshape(-1, 2)
        except ValueError:
            theirs = np.zeros((0, 2), np.float32)
        if len(theirs) != IBUG68.count:
            raise base.Unusable("landmark file that does not have 68 points")
        apart = np.linalg.norm(theirs + 0.5 - points, axis=-1)[list(IBUG68.inner)].mean()
        if not apart < _APART * inter_ocular(points, IBUG68):
            raise base.Unusable("landmark file that does not fit its image")


def read_recordings(images: Path, emotions: Path, left_out: list[tuple[str, str]]) -> Iterator[posed.Recording]:
    """The sequences with a valid label; (reason, name) of the others is appended to `left_out`."""
    labels = {f"{path.parent.name}/{path.name}": path for who in posed.folders(emotions) for path in posed.folders(who)}
    for subject in posed.folders(images):
        for path in posed.folders(subject):
            name = f"{subject.name}/{path.name}"
            found = files.listed(labels.pop(name), _LABELS) if name in labels else []
            try:
                expression = read_label(found, f"{subject.name}_{path.name}")
            except base.Unusable as error:
                left_out.append((str(error), name))
            else:
                yield posed.Recording(subject.name, name, posed.frames(path), expression)
    lonely = [name for name, path in labels.items() if files.listed(path, _LABELS)]
    left_out += [("label without its sequence", name) for name in lonely]


def read_label(found: list[Path], name: str) -> int:
    """The expression in the label files of a sequence. Raises `Unusable` unless there is exactly one valid label."""
    if len(found) != 1:
        raise base.Unusable("sequence with several labels" if found else "sequence without a label")
    if not found[0].name.startswith(f"{name}_"):
        raise base.Unusable("sequence with the label of another sequence")
    try:
        value = float(base.read_text(found[0]))
    except ValueError:
        value = float("nan")
    if value not in range(len(LABELS)):
        raise base.Unusable(f"sequence whose label is not a number from 0 to {len(LABELS) - 1}")
    return int(value)


def _landmark_folder(root: Path) -> Path | None:
    """The folder of the owners' points, or None; unpacking their archive creates Landmarks/Landmarks."""
    try:
        found = posed.folder(root, LANDMARKS, "CK+")
    except ValueError:
        return None
    return found / LANDMARKS if (found / LANDMARKS).is_dir() else found
