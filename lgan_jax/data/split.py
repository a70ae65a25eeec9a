"""Training, validation and test splits by contiguous blocks of frames or by subject, without leakage between them.

Hyperparameters are chosen on the validation split; metrics are reported on the test split, once.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int

from lgan_jax.media import files

SPLITS = TRAIN, VALIDATION, TEST = ("train", "validation", "test")
CALLED = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}  # "the … split" in messages

SHARE = 0.1  # of a recording in the validation split, and as much in the test split
BLOCKS = 5  # of a long recording's validation frames, and as many of its test frames
GUARD, LEAST_GUARD = 10, 3  # frame numbers left out beside a block: of a long recording, and at least
_TRAINS = 0.8  # least share of training frames outside of the blocks, where the recording is long enough
FEWEST = 3  # distinct frames of a recording
FEW = 10  # frames; a folder in which most people have fewer is split by subject

By = Literal["auto", "time", "subject"]


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Subjects of the validation and of the test split; all images of a subject are in one split.

    A subject's split follows from the hash of its name alone, so adding subjects moves nobody. Only where a split would
    have no subject, the one with the next hash is in it.

    Attributes:
      share: probable share of the subjects in the test split, and of the others in the validation split; above 0 and at
        most 0.5.
      names: subjects of the test split; overrides the share where given.
      validation: subjects of the validation split; overrides the share where given.
    """

    share: float = SHARE
    names: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.5:
            raise ValueError(f"share is {self.share}; it must be above 0 and at most 0.5")
        if both := sorted(set(self.names) & set(self.validation)):
            raise ValueError(f"{both[0]!r} cannot be both in the validation and in the test split")

    def of(self, people: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """The splits of each subject, as `by_subject`.

        Raises `ValueError` for fewer than two subjects, or unknown names.
        """
        counts = dict.fromkeys(sorted(set(people)), 1)
        test, validation = (
            {files.named(name, counts) or name for name in names} for names in (self.names, self.validation)
        )
        named = test | validation
        if unknown := sorted(named - set(counts)):
            raise ValueError(f"{unknown[0]!r} is not a subject; the subjects are {', '.join(counts)}")
        if named and len(named) == len(counts):
            raise ValueError("no subject is left for the training split: name fewer subjects")
        return _parts(counts, _below, (self.share, self.share * (2 - self.share)), test, validation)


def splits_by_subject(by: By, frames: Collection[int]) -> bool:
    """Whether a folder is split by subject, given the setting and each person's number of frames.

    With "auto", it is where there are two people or more and their median has fewer than `FEW` frames.
    """
    return by == "subject" or (by == "auto" and len(frames) > 1 and float(np.median([*frames])) < FEW)


class Blocks(NamedTuple):
    """The split of a recording's frames.

    Attributes:
      split: `(n,)` strings, the split of each frame; empty for those beside a block, which are in none.
      guard: training frames are more than so many frame numbers away from those of the other splits.
    """

    split: np.ndarray
    guard: int

    @property
    def between(self) -> int:
        """The number of frames in no split."""
        return int((self.split == "").sum())

    @property
    def note(self) -> str:
        """What a user should know of a recording too short for the least guard; empty where it is long enough."""
        if self.guard >= LEAST_GUARD:
            return ""
        return f"{len(self.split)} frames are too few to leave out {LEAST_GUARD} between the splits; it is {self.guard}"


def contiguous_blocks(frames: Int[np.ndarray, " n"]) -> Blocks:
    """Splits a recording into alternating blocks of validation and test frames, with training frames between them.

    A random split would leak, since neighboring frames are almost the same image, and the tail alone may hold an
    expression that the rest never shows. So the recording is cut into equal parts, and the middle of each part is a
    validation or test block: five blocks of each kind, a tenth of all frames for each kind. Frames that are `GUARD` or
    fewer numbers away from a block are in no split.

    At least 80 % of the frames outside of the blocks are training frames. For that, a shorter recording has smaller
    guards, then fewer blocks, then (below 75 frames in a row) one block of each kind at its ends, then (below 38)
    smaller blocks. The guard is never below `LEAST_GUARD` until (below 14 frames in a row) less than half would be
    training frames.

    Args:
      frames: frame numbers `(n,)` in any order; gaps are fine, frames with the same number stay together.

    Raises `ValueError` where there are fewer than three different frames.
    """
    numbers, place = np.unique(frames, return_inverse=True)
    if len(numbers) < FEWEST:
        raise ValueError(f"a split needs at least {FEWEST} different frames, not {len(numbers)}: add images")
    size = max(1, int(SHARE * len(numbers)))
    layouts = [_middles(len(numbers), size, blocks) for blocks in range(min(BLOCKS, size), 0, -1)]
    layouts += [_ends(len(numbers), smaller) for smaller in range(size, 0, -1)]
    for layout in layouts:
        guard = min(GUARD, _widest(numbers, layout, _TRAINS))
        if guard >= LEAST_GUARD:
            break
    else:
        guard = min(LEAST_GUARD, _widest(numbers, layout, 0.5))
    outside = layout == 0
    near = outside & (_distance(numbers, numbers[~outside]) <= guard)
    return Blocks(np.where(near, "", np.array(SPLITS)[layout])[place], guard)


def by_subject(subjects: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The splits of each subject: one each; with two subjects, one is in training, the other in validation and test.

    Subjects are chosen in the order of the hashes of their names until they have `SHARE` of all images, first for the
    test split, then, of the others, for the validation split. A subject that would exceed one and a half times the
    share is passed over; if all would, the one with the fewest images is chosen.

    Args:
      subjects: the subject of each image.

    Raises `ValueError` where there are fewer than two subjects.
    """
    return _parts(collections.Counter(subjects), _drawn, (SHARE, SHARE))


def subjects_note(splits: Collection[tuple[str, ...]]) -> str:
    """A line with the number of subjects in each split, given the splits of each subject."""
    counts = {split: sum(split in each for each in splits) for split in SPLITS}
    shared = "; validation and test share them: with more subjects, each split gets its own"
    listed = ", ".join(f"{count} in the {CALLED[split]} split" for split, count in counts.items())
    return listed + (shared if (VALIDATION, TEST) in splits else "")


def _parts(
    counts: Mapping[str, int],
    choose: Callable[[Mapping[str, int], float, int], set[str]],
    shares: tuple[float, float],
    tested: Collection[str] = (),
    validated: Collection[str] = (),
) -> dict[str, tuple[str, ...]]:
    """The splits of each subject, given their image counts and the subjects chosen by name.

    `choose` takes the subjects of the test split, then those of the validation split from the others, with `shares`.
    """
    if len(counts) < 2:
        raise ValueError(f"a split by subject needs at least 2 subjects, not {len(counts)}")
    rest = {name: count for name, count in counts.items() if name not in validated}
    tested = tested or choose(rest, shares[0], len(rest) - (1 if validated else 2))
    others = {name: count for name, count in counts.items() if name not in tested}
    validated = validated or (choose(others, shares[1], len(others) - 1) if len(others) > 1 else tested)
    sides = ((VALIDATION, validated), (TEST, tested))
    return {name: tuple(split for split, side in sides if name in side) or (TRAIN,) for name in counts}


def _drawn(counts: Mapping[str, int], share: float, most: int) -> set[str]:
    """One to `most` of the subjects, with about a share of `share` of all images: see `by_subject`."""
    wanted = share * sum(counts.values())
    order = sorted(counts, key=_hash)
    chosen: set[str] = set()
    held = 0
    for name in order:
        if len(chosen) < most and held < wanted and held + counts[name] <= 1.5 * wanted:
            chosen.add(name)
            held += counts[name]
    return chosen or {min(order, key=lambda name: counts[name])}


def _below(counts: Mapping[str, int], limit: float, most: int) -> set[str]:
    """One to `most` of the subjects: those whose hash, as a number in [0, 1), is below `limit`, or else the first."""
    order = sorted(counts, key=_hash)
    below = [name for name in order if int.from_bytes(_hash(name)) < limit * 2**256]
    return set(below[: max(most, 1)] or order[:1])


def _hash(name: str) -> bytes:
    return hashlib.sha256(files.nfc(name).encode()).digest()


def _middles(count: int, size: int, blocks: int) -> np.ndarray:
    """`(count,)` places in `SPLITS`: the middles of equal parts hold `size` validation and `size` test
    frames, in `blocks` blocks each.
    """
    split = np.zeros(count, np.int8)
    for part in range(2 * blocks):
        of_kind, kind = divmod(part, 2)
        length = size * (of_kind + 1) // blocks - size * of_kind // blocks
        first, last = count * part // (2 * blocks), count * (part + 1) // (2 * blocks)
        start = first + (last - first - length) // 2
        split[start : start + length] = 1 + kind
    return split


def _ends(count: int, size: int) -> np.ndarray:
    """`(count,)` places in `SPLITS`: the first `size` frames are validation, the last ones test."""
    split = np.zeros(count, np.int8)
    split[:size], split[count - size :] = 1, 2
    return split


def _widest(numbers: np.ndarray, layout: np.ndarray, share: float) -> int:
    """The largest guard that leaves a share of `share` of the frames outside of the blocks for training."""
    outside = layout == 0
    distance = np.sort(_distance(numbers[outside], numbers[~outside]))
    trained = max(1, int(np.ceil(share * len(distance) - 1e-9)))
    return int(distance[-trained]) - 1


def _distance(numbers: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Distance of each number to the nearest of `targets` (both ascending)."""
    right = np.searchsorted(targets, numbers).clip(max=len(targets) - 1)
    left = (right - 1).clip(min=0)
    return np.minimum(np.abs(targets[right] - numbers), np.abs(targets[left] - numbers))
