"""Oulu-CASIA: 80 people who pose six expressions; reads the visible-light videos in strong light.

    <root>/VL/Strong/P###/{Anger,Disgust,Fear,Happiness,Sadness,Surprise}/###.jpeg

`VL` may lie one level deeper. A sequence goes from neutral to the peak, so `posed` selects the same frames as of
CK+ (the paper specifies them for CK+ only).
Source: Zhao et al., "Facial expression recognition from near-infrared videos", Image and Vision Computing 2011, as its
owners distribute it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data.builders import posed
from lgan_jax.data.split import HeldOut

STRONG = "VL/Strong"


class OuluCASIA(posed.Posed, skip_registration=True):
    """Oulu-CASIA: the first and last frames of the sequences; see `posed.Posed`.

    Also skipped, counted and named: folders of a person that are not named after an expression.

    Raises `FileNotFoundError` or `ValueError` for a folder that is missing or has another layout.
    """

    def __init__(self, root: Path, cache: Path, held_out: HeldOut):
        left_out: list[tuple[str, str]] = []
        recordings = list(read_recordings(posed.folder(root, STRONG, "Oulu-CASIA"), left_out))
        super().__init__(root, cache, "oulu-casia", recordings, (), held_out)
        for reason, name in left_out:
            self.skip(reason, name)


def read_recordings(strong: Path, left_out: list[tuple[str, str]]) -> Iterator[posed.Recording]:
    """The sequences of an expression; (reason, name) of other folders is appended to `left_out`."""
    for subject in posed.folders(strong):
        for path in posed.folders(subject):
            name = f"{subject.name}/{path.name}"
            if path.name.lower() in EXPRESSIONS:
                yield posed.Recording(subject.name, name, posed.frames(path), EXPRESSIONS.index(path.name.lower()))
            else:
                left_out.append((f"folder not named after an expression ({', '.join(EXPRESSIONS)})", name))
