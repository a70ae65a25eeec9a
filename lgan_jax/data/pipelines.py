"""Batches for training, evaluation and sample images, from a split.

A batch is float32 NHWC images in [-1, 1] (`image`), `landmarks` in [0, 1], `identity` int32, and further arrays on
request; `index` is a record's index in the split, int32.

Grouping "single": an example is one image; "one_of_each": one image of each identity, so that arrays are
`(B, I, …)`; "pairs": two images of a person that differ only in expression, `(B, 2, …)`;
"expressions": two images of a person whose expressions have different labels, the source and the target, `(B, 2, …)`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import grain
import numpy as np
from jaxtyping import Int

from lgan_jax.data.dataset import Split

Grouping = Literal["single", "one_of_each", "pairs", "expressions"]
KEYS = ("image", "landmarks", "identity")
_Arranged = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # an epoch of examples in the order of training
_Order = Callable[[int], np.integer | np.ndarray]  # a row of an endless sequence to a record, or several records
_PREFETCH = 8  # batches loaded ahead
_ROUND = 1000  # examples among which parts have their exact shares


def training_batches(
    split: Split,
    batch_size: int,
    seed: int,
    grouping: Grouping,
    *,
    keys: Sequence[str] = KEYS,
    threads: int = 4,
    shard: tuple[int, int] = (0, 1),
) -> grain.DatasetIterator:
    """Endless iterator of training batches; a batch depends only on `seed` and its number.

    Every epoch goes through all images (or pairs) once in a new order; with "one_of_each" every identity has epochs
    of its own length. With "expressions" every image is the source once in an epoch, and its target is sampled: first
    one of the person's other expressions, uniformly, then one of its images. Where the split has shares, each part has
    epochs of its own and, of every 1,000 examples in a row, its share; a part without such examples leaves its share to
    the others. The iterator's position is its `get_state()`; save it with `grain.checkpoint.CheckpointSave`. Images are
    read by threads of this process.

    Args:
      split: records to load.
      batch_size: examples in a batch, over all processes.
      seed: of the order, at least 0.
      grouping: what forms an example.
      keys: names of the arrays in a batch.
      threads: number of batches loaded in parallel; 0 loads them on demand.
      shard: (index, count) of this process: of every batch it gets rows index·B/count up to (index + 1)·B/count.

    Raises:
      ValueError: `batch_size` is not a positive multiple of the number of processes, an identity has no images, or
        there are no pairs, or no person has two expressions.
    """
    index, count = shard
    if batch_size < 1 or batch_size % count or not 0 <= index < count:
        raise ValueError(f"a batch of {batch_size} cannot be shared by {count} processes (this is number {index})")
    rows = batch_size // count
    orders = _orders(split, grouping, seed)

    def batch(number: int):
        first = number * batch_size + index * rows
        indices = np.array([np.ravel([order(row) for order in orders]) for row in range(first, first + rows)])
        return load(split, indices, grouping, keys)

    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(_PREFETCH, threads) if threads else 0)
    return iter(grain.MapDataset.range(sys.maxsize // batch_size).map(batch).to_iter_dataset(options))


def spaced_batches(
    split: Split,
    grouping: Grouping,
    count: int,
    batch_size: int,
    keys: Sequence[str] = KEYS,
    most: int | None = None,
    repeat: bool = False,
) -> list[dict[str, np.ndarray]]:
    """Batches of `count` images (or pairs) of each identity, evenly spaced through its part of the split.

    Deterministic. Fewer where an identity has fewer ("one_of_each": where any has fewer). The last batch may be
    smaller. Except with "one_of_each", identities alternate. With "expressions" a person's sources go through the
    expressions, and so do their targets.

    Args:
      split: records to load.
      grouping: what forms an example.
      count: examples of each identity in the split.
      batch_size: examples in a batch.
      keys: names of the arrays in a batch.
      most: total number of examples, the first ones; None for no limit.
      repeat: with "one_of_each", an identity with fewer images repeats them, and does not shorten the others.

    Raises `ValueError` where `count` or `batch_size` is less than 1, there are no images (with "one_of_each" of an
    identity), no pairs, or no person with two expressions.
    """
    if count < 1 or batch_size < 1:
        raise ValueError(f"count and batch_size must be at least 1, they are {count} and {batch_size}")
    if grouping == "one_of_each":
        chosen = [_spaced(members, count) for members in _one_of_each(split)]
        if repeat:
            indices = np.stack([np.resize(members, max(map(len, chosen))) for members in chosen], axis=1)
        else:
            fewest = min(map(len, chosen))
            indices = np.stack([_spaced(members, fewest) for members in chosen], axis=1)
    else:
        if grouping == "expressions":
            chosen = list(_Couples(split).spaced(count))
        else:
            people = _pairs(split) if grouping == "pairs" else _people(split)
            chosen = [_spaced(members, count) for members in people]
        turns = [members[turn] for turn in range(count) for members in chosen if turn < len(members)]
        indices = np.array(turns).reshape(len(turns), -1)
    indices = indices[:most]
    return [load(split, indices[i : i + batch_size], grouping, keys) for i in range(0, len(indices), batch_size)]


def load(
    split: Split, indices: Int[np.ndarray, "B I"], grouping: Grouping, keys: Sequence[str] = KEYS
) -> dict[str, np.ndarray]:
    """Loads records as a batch of arrays `(B, I, …)`, or `(B, …)` for "single", where I is 1.

    I is 2 for "pairs" and "expressions".
    """
    records = [{**split[index], "index": np.int32(index)} for index in indices.flat]
    lead = indices.shape[:1] if grouping == "single" else indices.shape
    batch = {key: np.stack([record[key] for record in records]).reshape(*lead, *records[0][key].shape) for key in keys}
    if "image" in batch:
        batch["image"] = batch["image"].astype(np.float32) * np.float32(2 / 255) - 1
    return batch


def _orders(split: Split, grouping: Grouping, seed: int) -> list[_Order]:
    """The endless sequences from which an example takes one or more records."""
    if grouping == "one_of_each":
        return [_order(members, _shuffled, seed, number) for number, members in enumerate(_one_of_each(split))]
    examples, arranged = _examples(split, grouping)
    if not split.shares:
        return [_order(examples, arranged, seed, 0)]
    first = examples.reshape(len(examples), -1)[:, 0]
    parts = [(share, examples[np.isin(first, members)]) for share, members in split.shares]
    orders = {
        number: (share, _order(part, arranged, seed, number)) for number, (share, part) in enumerate(parts) if len(part)
    }
    return [
        _by_shares([share for share, _ in orders.values()], [order for _, order in orders.values()], seed, len(parts))
    ]


def _examples(split: Split, grouping: Grouping) -> tuple[np.ndarray, _Arranged]:
    """The examples of an epoch, or their first records, and the function that arranges some of them."""
    _people(split)  # raises if the split is empty
    if grouping == "expressions":
        couples = _Couples(split)
        return couples.sources, couples.arranged
    return np.concatenate(_pairs(split)) if grouping == "pairs" else np.arange(len(split)), _shuffled


def _shuffled(members: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(members)


def _people(split: Split) -> list[np.ndarray]:
    """The records of each identity that is in the split."""
    if not len(split):
        raise ValueError("there are no images in this split")
    return [np.flatnonzero(split.identity == i) for i in np.unique(split.identity)]


def _one_of_each(split: Split) -> list[np.ndarray]:
    """The records of each identity; every identity must be in the split."""
    people = _people(split)
    if len(people) <= split.identity.max():
        raise ValueError("an identity has no images in this split")
    return people


def _pairs(split: Split) -> list[np.ndarray]:
    """Pairs of records `(pairs, 2)` of each identity that has pairs."""
    if not len(split.pairs):
        raise ValueError("these faces have no pairs that differ only in expression")
    whose = split.identity[split.pairs[:, 0]]
    return [split.pairs[whose == number] for number in np.unique(whose)]


class _Couples:
    """Source-target pairs: two records of one person with different expressions.

    Attributes:
      sources: the records that have a partner, by person and expression.
    """

    def __init__(self, split: Split):
        if split.expression is None:
            raise ValueError("these faces have no expressions")
        self._expression, self._identity = split.expression, split.identity
        people = {int(split.identity[members[0]]): self._by_expression(members) for members in _people(split)}
        self._groups = {who: groups for who, groups in people.items() if len(groups) > 1}
        if not self._groups:
            raise ValueError("no person in this split has images with two different expressions")
        self.sources = np.concatenate([group for groups in self._groups.values() for group in groups.values()])

    def arranged(self, sources: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """An epoch `(sources, 2)` of couples."""
        sources = rng.permutation(sources)
        chance = rng.random((len(sources), 2))
        targets = []
        for source, (first, second) in zip(sources, chance):
            others = self._others(source)
            other = others[int(first * len(others))]
            targets.append(other[int(second * len(other))])
        return np.stack([sources, targets], 1)

    def spaced(self, count: int) -> Iterator[np.ndarray]:
        """`count` couples `(count, 2)` of each person (fewer where there are fewer sources).

        Sources cycle through the person's expressions; each person starts with a different expression.
        """
        for person, groups in enumerate(self._groups.values()):
            first = person % len(groups)
            shown = list(groups.values())[first:] + list(groups.values())[:first]
            parts = [_spaced(group, len(range(i, count, len(shown)))) for i, group in enumerate(shown[:count])]
            sources = [part[turn] for turn in range(count) for part in parts if turn < len(part)]
            couples = []
            for turn, source in enumerate(sources):
                others = self._others(source)
                other = others[(turn + person) % len(others)]
                couples.append((source, other[turn % len(other)]))
            yield np.array(couples)

    def _by_expression(self, members: np.ndarray) -> dict[int, np.ndarray]:
        labels = self._expression[members]
        return {int(label): members[labels == label] for label in np.unique(labels)}

    def _others(self, source: np.integer) -> list[np.ndarray]:
        """The person's records with each other expression than the source's."""
        groups = self._groups[int(self._identity[source])]
        return [group for label, group in groups.items() if label != self._expression[source]]


def _spaced(members: np.ndarray, count: int) -> np.ndarray:
    """`count` of `members` (all where there are fewer), the middles of equal parts."""
    count = min(count, len(members))
    return members[(2 * np.arange(count) + 1) * len(members) // (2 * count)]


def _order(members: np.ndarray, arranged: _Arranged, seed: int, number: int) -> _Order:
    """Maps a row of the endless sequence of ordered epochs to a record, or several records.

    Depends only on (`seed`, `number`, epoch).
    (Grain's own shuffle needs 6 ms a record where there are only a few records.)
    """

    @functools.lru_cache(maxsize=4)  # rows come nearly in order
    def shuffled(epoch: int) -> np.ndarray:
        return arranged(members, np.random.default_rng((seed, number, epoch)))

    def record(row: int) -> np.integer | np.ndarray:
        epoch, place = divmod(row, len(members))
        return shuffled(epoch)[place]

    return record


def _by_shares(shares: Sequence[float], orders: Sequence[_Order], seed: int, number: int) -> _Order:
    """Mixes sequences: each has its share (relative to the others) of every `_ROUND` rows, in random order."""
    ends = np.rint(_ROUND * np.cumsum(shares) / np.sum(shares)).astype(int)
    counts = np.diff(ends, prepend=0)

    @functools.lru_cache(maxsize=4)
    def schedule(round_: int) -> tuple[np.ndarray, np.ndarray]:
        """Which sequence each row of a round takes, and how many rows of the round took it before."""
        which = np.random.default_rng((seed, number, round_)).permutation(np.repeat(np.arange(len(orders)), counts))
        before = np.zeros(_ROUND, int)
        for sequence, count in enumerate(counts):
            before[which == sequence] = np.arange(count)
        return which, before

    def record(row: int) -> np.integer | np.ndarray:
        round_, place = divmod(row, _ROUND)
        which, before = schedule(round_)
        sequence = which[place]
        return orders[sequence](round_ * int(counts[sequence]) + int(before[place]))

    return record
