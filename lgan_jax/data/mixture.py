"""Several data sets as one: their identities and records one after the other."""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
from collections.abc import Collection, Sequence
from typing import SupportsIndex

import numpy as np
from jaxtyping import Int

from lgan_jax.data.builders.celeba import EVERY_PHOTO
from lgan_jax.data.builders.emotionet import EVERYBODY
from lgan_jax.data.builders.generated import MADE
from lgan_jax.data.dataset import FaceData, Split
from lgan_jax.data.split import SPLITS
from lgan_jax.media.files import nfc

_NOBODY = {EVERYBODY, EVERY_PHOTO, MADE}  # identities of all images of a folder whose people are unknown


class MixedSplit(Split):
    """The records of several splits, one after the other, with the arrays that all of them have.

    Args:
      parts: the splits.
      numbers: for each part, the mixture's identity of each of its identities.
      keys: names of the arrays that all records have.
      size: side in pixels of the images.
      shares: share of each part in the training examples; empty: in proportion.
    """

    def __init__(
        self,
        parts: Sequence[Split],
        numbers: Sequence[Int[np.ndarray, " known"]],
        keys: Collection[str],
        size: int,
        shares: Sequence[float],
    ):
        expression = np.concatenate([part.expression for part in parts]) if "expression" in keys else None
        identity = np.concatenate([known[part.identity] for part, known in zip(parts, numbers)])
        super().__init__(parts, identity, size, pairs=_pairs, expression=expression)
        self._keys, self._numbers = frozenset(keys), numbers
        self.starts = np.cumsum([0, *map(len, parts)])
        if shares:
            self.shares = tuple(
                (share, np.arange(first, last)) for share, first, last in zip(shares, self.starts, self.starts[1:])
            )

    @property
    def parts(self) -> Sequence[Split]:
        """The splits of which this one consists."""
        return self.source

    def __getitem__(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        part, place = self._place(index)
        return self._joined(part, self.parts[part][place])

    def without_image(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        part, place = self._place(index)
        return self._joined(part, self.parts[part].without_image(place))

    def _place(self, index: SupportsIndex) -> tuple[int, int]:
        """The part and the place in it of a record."""
        index = range(len(self))[index]
        part = bisect.bisect_right(self.starts, index) - 1
        return part, index - int(self.starts[part])

    def _joined(self, part: int, record: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        identity = np.array(self._numbers[part][record["identity"]], np.int32)
        identity.setflags(write=False)
        return {key: value for key, value in record.items() if key in self._keys} | {"identity": identity}


def mixed(opened: Sequence[FaceData], shares: Sequence[float] = ()) -> FaceData:
    """One data set of several with the same scheme and size. Raises `ValueError` as `identities`."""
    names = identities([(each.name, each.info.identities) for each in opened])
    numbers = [np.array([names.index(name) for name in each.info.identities]) for each in opened]
    keys = set.intersection(*({"image", *each.train.without_image(0)} for each in opened))
    splits = {
        split: MixedSplit([getattr(each, split) for each in opened], numbers, keys, opened[0].info.size, shares)
        for split in SPLITS
    }
    fingerprints = [each.fingerprint for each in opened]
    return FaceData(
        name=" + ".join(each.name for each in opened),
        built_in=False,
        info=dataclasses.replace(opened[0].info, identities=names, images=len(splits["train"])),
        fingerprint=hashlib.sha256(repr(fingerprints).encode()).hexdigest()[:16],
        notes=tuple(f"{each.name}: {note}" for each in opened for note in each.notes),
        **splits,
        parts=tuple(opened),
    )


def identities(named: Sequence[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """The identities of several data sets, given their names and identities; unknown people are one identity.

    Raises `ValueError` where two data sets have a person of the same name.
    """
    owners: dict[str, int] = {}
    found: dict[str, None] = {}
    for owner, (name, people) in enumerate(named):
        for person in people:
            if person not in _NOBODY and (other := owners.setdefault(nfc(person), owner)) != owner:
                raise ValueError(
                    f"{named[other][0]} and {name} both have a person {person}: put one person's recordings into one "
                    "folder, or rename one of two people"
                )
            found[person] = None
    return tuple(found)


def _pairs(split: MixedSplit) -> Int[np.ndarray, "pairs 2"]:
    return np.concatenate([part.pairs + first for part, first in zip(split.parts, split.starts)])
