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
LABELS = EXPRESSIONS  # a label is the place in it: the owners number them in the same order
_LABELS = "*_emotion.txt"
_APART = 0.3  # the owners' points and dlib's are at most that far apart on the average, in distances of the eyes


class CKPlus(posed.Posed, skip_registration=True):
    """The first and last frames of the sequences that have a label: see `posed.Posed`.

    Landmarks are dlib's, as in the paper. Where the owners' own points are there, they must lie on the same face.

    Left out besides, counted and named: sequences without a label, with several, or with one that is no number from 0
    to 7 or named after another sequence; labels without a sequence; frames whose file of points has not 68, or points
    elsewhere than on the face that is found.

    Raises `FileNotFoundError` or `ValueError` for a folder that is not there or is not laid out like this.
    """

    def __init__(self, root: Path, cache: Path, held_out: HeldOut):
        images, emotions = (posed.folder(root, path, "CK+") for path in (IMAGES, EMOTIONS))
        self.points = _landmark_folder(root)
        left_out: list[tuple[str, str]] = []
        recordings = list(_recordings(images, emotions, left_out))
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
            raise base.Unusable("file of landmarks that has not 68 points")
        apart = np.linalg.norm(theirs + 0.5 - points, axis=-1)[list(IBUG68.inner)].mean()
        if not apart < _APART * inter_ocular(points, IBUG68):
            raise base.Unusable("file of landmarks that does not fit its image")


def _recordings(images: Path, emotions: Path, left_out: list[tuple[str, str]]) -> Iterator[posed.Recording]:
    """The sequences with a good label; (reason, name) of the others goes to `left_out`."""
    labels = {f"{path.parent.name}/{path.name}": path for who in posed.folders(emotions) for path in posed.folders(who)}
    for subject in posed.folders(images):
        for path in posed.folders(subject):
            name = f"{subject.name}/{path.name}"
            found = files.listed(labels.pop(name), _LABELS) if name in labels else []
            try:
                expression = _label(found, f"{subject.name}_{path.name}")
            except base.Unusable as error:
                left_out.append((str(error), name))
            else:
                yield posed.Recording(subject.name, name, posed.frames(path), expression)
    lonely = [name for name, path in labels.items() if files.listed(path, _LABELS)]
    left_out += [("label without its sequence", name) for name in lonely]


def _label(found: list[Path], name: str) -> int:
    """The expression in the label files of a sequence. Raises `Unusable` where there is not exactly one good one."""
    if len(found) != 1:
        raise base.Unusable("sequence with several labels" if found else "sequence without a label")
    if not found[0].name.startswith(f"{name}_"):
        raise base.Unusable("sequence with another one's label")
    try:
        value = float(base.read_text(found[0]))
    except ValueError:
        value = float("nan")
    if value not in range(len(LABELS)):
        raise base.Unusable(f"sequence whose label is no number from 0 to {len(LABELS) - 1}")
    return int(value)


def _landmark_folder(root: Path) -> Path | None:
    """The owners' own points, where they are there; unpacking their archive makes Landmarks/Landmarks."""
    try:
        found = posed.folder(root, LANDMARKS, "CK+")
    except ValueError:
        return None
    return found / LANDMARKS if (found / LANDMARKS).is_dir() else found
