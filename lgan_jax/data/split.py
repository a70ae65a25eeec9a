"""Which pictures train and which test, so that neighbours in time, or pictures of a person, never sit on both sides."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Int


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Which people of a data set are held out whole.

    Attributes:
      share: of the people, drawn by the hashes of their names; above 0 and at most 0.5.
      names: these are held out, where any are given, in the place of a share.
    """

    share: float = 0.1
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.5:
            raise ValueError(f"share is {self.share}; it must be above 0 and at most 0.5")

    def of(self, people: Iterable[str]) -> frozenset[str]:
        """Who of these is held out. Raises `ValueError` for fewer than two people, or names that cannot be."""
        everybody = sorted(set(people))
        if unknown := sorted(set(self.names) - set(everybody)):
            raise ValueError(f"{unknown[0]!r} cannot be held out; the people are {', '.join(everybody)}")
        if self.names and len(set(self.names)) == len(everybody):
            raise ValueError("everybody is held out and nobody is left to train on: name fewer people")
        if self.names:
            return frozenset(self.names)
        return frozenset(name for name, tests in zip(everybody, by_subject(everybody, self.share)) if tests)


def contiguous_blocks(
    frames: Int[np.ndarray, " n"], test_share: float = 0.1, blocks: int = 5, guard: int = 10
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Splits a sequence into blocks of test frames, spread evenly over it, and training frames between them.

    Frames picked at random would leak (a neighbour is almost the same picture), and the tail alone may hold an
    expression that the rest never shows. So the sequence is cut into `blocks` equal parts and the frames in the middle
    of each are for testing; frames that are `guard` or fewer numbers away from a test frame belong to neither side.

    A short sequence gets fewer blocks (one for each test frame at most) and smaller guards: the largest that leave at
    least half of the frames that do not test for training.

    Args:
      frames: frame numbers `(n,)` in any order; gaps are fine, frames with the same number stay together.
      test_share: share of the different frame numbers that test, in (0, 1); at least one does, at least one trains.
      blocks: how many blocks of test frames, at least 1.
      guard: how many frame numbers to leave out on each side of a block, at least 0.

    Returns:
      Two masks `(n,)`, training and test, in the order of `frames`.

    Raises:
      ValueError: there are fewer than two different frames, or an argument is out of its range.
    """
    if not 0 < test_share < 1 or blocks < 1 or guard < 0:
        raise ValueError(
            f"test_share must be between 0 and 1, blocks at least 1 and guard at least 0, "
            f"not {test_share}, {blocks} and {guard}"
        )
    numbers, place = np.unique(frames, return_inverse=True)
    if len(numbers) < 2:
        raise ValueError(f"a split needs at least 2 different frames; there is {len(numbers)}: give more pictures")
    tested = _middles(len(numbers), test_share, blocks)
    distance = _distance(numbers, numbers[tested])
    wanted = (np.count_nonzero(~tested) + 1) // 2
    trained = next(mask for g in range(guard, -1, -1) if np.count_nonzero(mask := distance > g) >= wanted)
    return trained[place], tested[place]


def by_subject(subjects: Sequence[str], test_share: float = 0.1) -> Bool[np.ndarray, " n"]:
    """Mask `(n,)` of the pictures that test: all those of some subjects, drawn by the hashes of their names.

    Subjects are taken until a share of `test_share` of all pictures is reached, those left aside that would carry it
    beyond one and a half times as much; where all would, the one with the fewest pictures tests.

    Raises `ValueError` where there are fewer than two subjects.
    """
    counts = collections.Counter(subjects)
    if len(counts) < 2:
        raise ValueError(f"a split by subject needs at least 2 subjects; there is {len(counts)}")
    wanted = test_share * len(subjects)
    order = sorted(counts, key=lambda name: hashlib.sha256(name.encode()).digest())
    chosen: set[str] = set()
    held = 0
    for name in order:
        if held < wanted and held + counts[name] <= 1.5 * wanted:
            chosen.add(name)
            held += counts[name]
    chosen = chosen or {min(order, key=lambda name: counts[name])}
    return np.array([name in chosen for name in subjects])


def _middles(count: int, share: float, blocks: int) -> np.ndarray:
    """Mask `(count,)` of the middles of equal parts, `share` of all in sum."""
    total = int(np.clip(round(count * share), 1, count - 1))
    blocks = min(blocks, total)
    mask = np.zeros(count, bool)
    for block in range(blocks):
        size = total * (block + 1) // blocks - total * block // blocks
        first, last = count * block // blocks, count * (block + 1) // blocks
        start = first + (last - first - size) // 2
        mask[start : start + size] = True
    return mask


def _distance(numbers: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Distance of each number to the nearest of `targets` (both ascending)."""
    right = np.searchsorted(targets, numbers).clip(max=len(targets) - 1)
    left = (right - 1).clip(min=0)
    return np.minimum(np.abs(targets[right] - numbers), np.abs(targets[left] - numbers))
