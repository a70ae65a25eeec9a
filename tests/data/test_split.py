import itertools

import numpy as np
import pytest

from lgan_jax import config
from lgan_jax.data.split import HeldOut, by_subject, contiguous_blocks


def test_worked_by_hand():
    train, test = contiguous_blocks(np.arange(20), test_share=0.2, blocks=2, guard=1)
    assert np.flatnonzero(test).tolist() == [4, 5, 14, 15]
    assert np.flatnonzero(train).tolist() == [0, 1, 2, 7, 8, 9, 10, 11, 12, 17, 18, 19]


def test_long_sequences_keep_the_whole_guard():
    train, test = contiguous_blocks(np.arange(1000))
    assert test.sum() == 100
    assert train.sum() == 1000 - 100 - 5 * 2 * 10
    starts = np.flatnonzero(np.diff(test.astype(int)) == 1) + 1
    assert starts.tolist() == [90, 290, 490, 690, 890]


@pytest.mark.parametrize(("share", "blocks"), [(0.05, 5), (0.1, 1), (0.1, 5), (0.5, 2), (0.9, 3)])
def test_every_length_and_guard(share, blocks):
    for count, guard in itertools.product(range(2, 90), (0, 1, 4, 10)):
        train, test = contiguous_blocks(np.arange(count), share, blocks, guard)
        assert test.sum() == np.clip(round(count * share), 1, count - 1)
        assert not (train & test).any()
        assert train.sum() >= (count - test.sum()) / 2
        nearest = np.abs(np.flatnonzero(train)[:, None] - np.flatnonzero(test)).min()
        if nearest <= guard:  # the guard shrank: one frame more on each side would have cost more than half
            wider = np.abs(np.arange(count)[:, None] - np.flatnonzero(test)).min(1) > nearest
            assert wider.sum() < (count - test.sum()) / 2


def test_gaps_count_as_distance_and_order_does_not_matter():
    frames = np.array([0, 1, 2, 3, 100, 101, 102, 200, 201, 202, 203])  # 101 tests; only its two neighbours are near
    shuffled = np.random.default_rng(3).permutation(len(frames))
    train, test = contiguous_blocks(frames[shuffled], 0.1, 5, 10)
    assert frames[shuffled][test].tolist() == [101]
    assert sorted(frames[shuffled][train].tolist()) == [0, 1, 2, 3, 200, 201, 202, 203]


def test_the_same_number_never_sits_on_both_sides():
    frames = np.repeat(np.arange(6), 3)
    train, test = contiguous_blocks(frames, 0.3, 2, 0)
    assert set(frames[train]).isdisjoint(frames[test])
    assert (train.sum(), test.sum()) == (12, 6)


@pytest.mark.parametrize("frames", [[], [7], [7, 7, 7]])
def test_too_few_frames(frames):
    with pytest.raises(ValueError, match="at least 2 different frames"):
        contiguous_blocks(np.array(frames, np.int64))


@pytest.mark.parametrize("arguments", [(0.0, 5, 10), (1.0, 5, 10), (0.1, 0, 10), (0.1, 5, -1)])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match="test_share must be"):
        contiguous_blocks(np.arange(50), *arguments)


def test_subjects_are_whole_on_one_side():
    subjects = [f"s{i % 40}" for i in range(400)]
    test = by_subject(subjects)
    assert test.sum() == 40
    for name in set(subjects):
        assert len({bool(test[i]) for i in range(400) if subjects[i] == name}) == 1
    assert (by_subject(subjects) == test).all()
    more = by_subject(["new", *subjects])  # another subject moves hardly any
    assert np.count_nonzero(more[1:] != test) <= 20


def test_of_few_subjects_the_smallest_tests():
    assert by_subject(["a"] * 7 + ["b"] * 5 + ["c"] * 6).tolist() == [False] * 7 + [True] * 5 + [False] * 6
    with pytest.raises(ValueError, match="at least 2 subjects; there is 1"):
        by_subject(["a"] * 7)


def test_a_share_of_the_people_is_held_out():
    people = [f"S{i:03d}" for i in range(118)]
    assert len(HeldOut().of(people)) == 12
    assert HeldOut().of(people * 3) == HeldOut().of(people)  # how many pictures they have does not matter
    assert len(HeldOut(share=0.4).of("abcde")) == 2
    assert len(HeldOut().of("ab")) == 1
    with pytest.raises(ValueError, match="at least 2 subjects; there is 1"):
        HeldOut().of(["a"] * 3)


def test_people_are_held_out_by_name():
    chosen = config.read(HeldOut, {"names": ["b", "e"]})
    assert chosen.of("abcde") == {"b", "e"}
    with pytest.raises(ValueError, match="'e' cannot be held out; the people are a, b, c"):
        chosen.of("abc")
    with pytest.raises(ValueError, match="everybody is held out"):
        chosen.of("be")
    with pytest.raises(ValueError, match=r"share is 0\.6; it must be above 0 and at most 0\.5"):
        HeldOut(share=0.6)
