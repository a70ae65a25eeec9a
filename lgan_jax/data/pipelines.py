"""Batches for training and for looking at, from a split.

A batch is float32 NHWC pictures in [-1, 1] (`image`), `landmarks` in [0, 1], `identity` int32, and other records on
request. Grouping "single": an example is one picture; "one_of_each": one picture of each identity, so that arrays are
`(B, I, …)`; "pairs": two pictures of a person that differ in expression alone, where the faces come so, `(B, 2, …)`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Literal

import grain
import numpy as np
from jaxtyping import Int

from lgan_jax.data.dataset import Split

Grouping = Literal["single", "one_of_each", "pairs"]
KEYS = ("image", "landmarks", "identity")


def training_batches(
    split: Split,
    batch_size: int,
    seed: int,
    grouping: Grouping,
    *,
    keys: Sequence[str] = KEYS,
    threads: int = 4,
    prefetch: int = 8,
    shard: tuple[int, int] = (0, 1),
) -> grain.DatasetIterator:
    """Batches without end, a function of `seed` and the batch's number alone.

    Every epoch goes through all pictures (or pairs) once in a new order; with "one_of_each" every identity has epochs
    of its own, as long as it has pictures. The iterator's position is its `get_state()`; save it with
    `grain.checkpoint.CheckpointSave`. Pictures are read by threads of this process.

    Args:
      split: where the pictures are.
      batch_size: examples in a batch, over all processes.
      seed: of the order, at least 0.
      grouping: what an example is.
      keys: names of the arrays in a batch.
      threads: how many batches are made at the same time; 0 makes them when they are asked for.
      prefetch: how many batches are made ahead.
      shard: (index, count) of this process: of every batch it gets rows index·B/count up to (index + 1)·B/count.

    Raises:
      ValueError: `batch_size` is not a positive multiple of the number of processes, an identity has no pictures, or
        there are no pairs.
    """
    index, count = shard
    if batch_size < 1 or batch_size % count or not 0 <= index < count:
        raise ValueError(f"a batch of {batch_size} cannot be shared by {count} processes (this is number {index})")
    rows = batch_size // count
    orders = [_order(members, seed, number) for number, members in enumerate(_groups(split, grouping))]

    def batch(number: int):
        first = number * batch_size + index * rows
        indices = np.array([np.ravel([order(row) for order in orders]) for row in range(first, first + rows)])
        return load(split, indices, grouping, keys)

    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(prefetch, threads) if threads else 0)
    return iter(grain.MapDataset.range(sys.maxsize // batch_size).map(batch).to_iter_dataset(options))


def held_out(
    split: Split, grouping: Grouping, count: int, batch_size: int, keys: Sequence[str] = KEYS
) -> list[dict[str, np.ndarray]]:
    """Batches of `count` pictures (or pairs) of each identity, evenly spaced through its part of the split.

    Always the same; fewer where an identity has fewer ("one_of_each": where any has). The last batch may be smaller.
    But with "one_of_each", identities take turns.

    Raises `ValueError` where `count` or `batch_size` is less than 1, an identity has no pictures, or there are no
    pairs.
    """
    if count < 1 or batch_size < 1:
        raise ValueError(f"count and batch_size must be at least 1, they are {count} and {batch_size}")
    people = _pairs(split) if grouping == "pairs" else _groups(split, "one_of_each")
    chosen = [_spaced(members, count) for members in people]
    if grouping == "one_of_each":
        fewest = min(map(len, chosen))
        indices = np.stack([_spaced(members, fewest) for members in chosen], axis=1)
    else:
        turns = [members[turn] for turn in range(count) for members in chosen if turn < len(members)]
        indices = np.array(turns).reshape(len(turns), -1)
    return [load(split, indices[i : i + batch_size], grouping, keys) for i in range(0, len(indices), batch_size)]


def load(
    split: Split, indices: Int[np.ndarray, "B I"], grouping: Grouping, keys: Sequence[str] = KEYS
) -> dict[str, np.ndarray]:
    """The batch of these records: arrays `(B, I, …)`, or `(B, …)` for "single", where I is 1; I is 2 for "pairs"."""
    records = [split[index] for index in indices.flat]
    lead = indices.shape[:1] if grouping == "single" else indices.shape
    batch = {key: np.stack([record[key] for record in records]).reshape(*lead, *records[0][key].shape) for key in keys}
    if "image" in batch:
        batch["image"] = batch["image"].astype(np.float32) * np.float32(2 / 255) - 1
    return batch


def _groups(split: Split, grouping: Grouping) -> list[np.ndarray]:
    """Which records an example takes one of each from."""
    if grouping == "pairs":
        return [np.concatenate(_pairs(split))]
    if grouping == "single":
        groups = [np.arange(len(split))]
    else:
        groups = [np.flatnonzero(split.identity == i) for i in range(split.identity.max(initial=0) + 1)]
    if not all(map(len, groups)):
        raise ValueError("an identity has no pictures in this split")
    return groups


def _pairs(split: Split) -> list[np.ndarray]:
    """Of each identity that has some, its pairs of records `(pairs, 2)`."""
    if not len(split.pairs):
        raise ValueError("these faces do not come in pairs that differ in expression alone; the built-in ones can")
    whose = split.identity[split.pairs[:, 0]]
    return [split.pairs[whose == number] for number in np.unique(whose)]


def _spaced(members: np.ndarray, count: int) -> np.ndarray:
    """`count` of `members` (all, where there are fewer), the middles of as many equal parts."""
    count = min(count, len(members))
    return members[(2 * np.arange(count) + 1) * len(members) // (2 * count)]


def _order(members: np.ndarray, seed: int, number: int) -> Callable[[int], np.integer | np.ndarray]:
    """Row of the endless sequence of shuffled epochs → record, or pair of records.

    A function of (`seed`, `number`, epoch) alone.
    (Grain's own shuffle needs 6 ms a record where there are only a few records.)
    """

    @functools.lru_cache(maxsize=4)  # rows come nearly in order
    def shuffled(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, number, epoch)).permutation(members)

    def record(row: int) -> np.integer | np.ndarray:
        epoch, place = divmod(row, len(members))
        return shuffled(epoch)[place]

    return record
