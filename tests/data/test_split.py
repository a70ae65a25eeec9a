import numpy as np
import pytest

from lgan_jax import config
from lgan_jax.data.split import (
    GUARD,
    LEAST_GUARD,
    SPLITS,
    HeldOut,
    by_subject,
    contiguous_blocks,
    splits_by_subject,
    subjects_note,
)

RNG = np.random.default_rng(0)
WITH_GAPS = [
    np.flatnonzero(RNG.random(1 + n) < kept)  # a recording of which frames were dropped, one by one
    for n in range(8, 2000, 41)
    for kept in (0.5, 0.9)
]
CUT = [np.concatenate([np.arange(n), n + 300 + np.arange(2 * n)]) for n in range(1, 400, 23)]  # two videos
PHOTOS = [100 * np.arange(n) for n in range(3, 60, 7)]


def parts(frames):
    """The frame numbers of each split, and the guard."""
    split, guard = contiguous_blocks(frames)
    return *(frames[split == name] for name in SPLITS), frames[split == ""], guard


def nearest(frames, others):
    """How far each of some frame numbers is from the nearest of the others."""
    others = np.sort(others)
    after = np.searchsorted(others, frames)
    sides = (others[after.clip(max=len(others) - 1)], others[(after - 1).clip(min=0)])
    return np.min([np.abs(frames - side) for side in sides], 0)


def checked(frames):
    """What holds for every recording; returns the share of what is in no block that trains, and the guard."""
    train, validation, test, left_out, guard = parts(frames)
    count = len(frames)
    assert len(train) + len(validation) + len(test) + len(left_out) == count
    assert len(validation) == len(test) >= 1
    assert len(test) <= max(1, count // 10)
    held_out = np.concatenate([validation, test])
    assert nearest(train, held_out).min() > guard
    assert left_out.size == 0 or nearest(left_out, held_out).max() <= guard <= GUARD
    return len(train) / (len(train) + len(left_out)), guard


def test_every_length():
    """What the docstring promises of recordings without gaps."""
    for count in (*range(3, 400), *range(400, 2001, 37)):
        share, guard = checked(np.arange(count))
        if count >= 32:
            assert share >= 0.8
        else:
            assert share >= 0.5
        if count >= 14:
            assert guard >= LEAST_GUARD


def test_recordings_with_gaps():
    for frames in WITH_GAPS + CUT + PHOTOS:
        if len(frames) >= 3:
            share, guard = checked(frames)
            assert share >= (0.8 if len(frames) >= 60 else 0.5)
            assert guard >= LEAST_GUARD or len(frames) < 14
    for frames in PHOTOS:  # each of them is far from the others
        assert checked(frames) == (1.0, GUARD)


def test_worked_by_hand():
    train, validation, test, left_out, guard = parts(np.arange(50))
    assert (validation.tolist(), test.tolist(), guard) == ([0, 1, 2, 3, 4], [45, 46, 47, 48, 49], 4)
    assert train.tolist() == list(range(9, 41))
    assert left_out.tolist() == [5, 6, 7, 8, 41, 42, 43, 44]


def test_blocks_take_turns_and_lie_in_the_middle_of_equal_parts():
    _, validation, test, _, guard = parts(np.arange(2000))
    ends = (np.flatnonzero(np.diff(some) > 1) + 1 for some in (validation, test))
    starts = [[int(block[0]) for block in np.split(some, end)] for some, end in zip((validation, test), ends)]
    assert starts == [[80, 480, 880, 1280, 1680], [280, 680, 1080, 1480, 1880]]
    assert (len(validation), len(test), guard) == (200, 200, 10)


def test_a_short_clip_keeps_most_of_its_frames():
    """180 frames: two blocks of each kind, three frames beside each."""
    train, validation, test, left_out, guard = parts(np.arange(180))
    assert (len(train), len(validation), len(test), len(left_out), guard) == (120, 18, 18, 24, 3)


def test_order_does_not_matter_and_the_same_number_stays_together():
    frames = np.repeat(np.concatenate([np.arange(90), np.arange(120, 150)]), 2)
    split, guard = contiguous_blocks(frames)
    order = RNG.permutation(len(frames))
    shuffled, same = contiguous_blocks(frames[order])
    assert guard == same
    np.testing.assert_array_equal(shuffled, split[order])
    np.testing.assert_array_equal(split[::2], split[1::2])


def test_recordings_too_short_for_the_guard_are_said():
    assert contiguous_blocks(np.arange(14)).note == ""
    assert contiguous_blocks(np.arange(13)).note == "13 frames are too few to leave out 3 between the splits; it is 2"
    assert contiguous_blocks(np.arange(3)).split.tolist() == ["validation", "train", "test"]


@pytest.mark.parametrize("frames", [[], [7], [7, 7, 7], [7, 8, 7]])
def test_too_few_frames(frames):
    with pytest.raises(ValueError, match="at least 3 different frames"):
        contiguous_blocks(np.array(frames, np.int64))


def test_subjects_are_whole_in_one_split():
    subjects = [f"s{i % 40}" for i in range(400)]
    splits = by_subject(subjects)
    counts = {name: sum(each == (name,) for each in splits.values()) for name in SPLITS}
    assert counts == {"train": 32, "validation": 4, "test": 4}
    assert by_subject(subjects[::-1]) == splits
    more = by_subject(["new", *subjects])  # another subject moves hardly any
    assert sum(more[name] != split for name, split in splits.items()) <= 2
    noted = subjects_note(splits.values())
    assert noted == "32 in the training split, 4 in the validation split, 4 in the test split"


def test_of_few_subjects_the_smallest_is_held_out():
    splits = by_subject(["a"] * 7 + ["b"] * 5 + ["c"] * 6)
    assert splits == {"a": ("train",), "b": ("test",), "c": ("validation",)}
    splits = by_subject(["a"] * 7 + ["b"] * 5)
    assert splits == {"a": ("train",), "b": ("validation", "test")}
    assert subjects_note(splits.values()).endswith(
        "; validation and test share them: with more subjects, each split gets its own"
    )
    with pytest.raises(ValueError, match="at least 2 subjects, not 1"):
        by_subject(["a"] * 7)


def test_a_share_of_the_people_is_held_out():
    people = [f"S{i:03d}" for i in range(118)]
    splits = HeldOut().of(people)
    assert [sum(each == (name,) for each in splits.values()) for name in SPLITS] == [94, 12, 12]
    assert HeldOut().of(people * 3) == splits  # how many images they have does not matter
    more = HeldOut().of([*people, *(f"other {i}" for i in range(300))])
    assert {name: more[name] for name in people} == splits  # nobody moves when others are added
    assert sorted(HeldOut().of("ab").values()) == [("train",), ("validation", "test")]
    with pytest.raises(ValueError, match="at least 2 subjects, not 1"):
        HeldOut().of(["a"] * 3)


def test_people_with_few_frames_are_split_by_subject():
    assert not splits_by_subject("auto", [9])  # one person can only be split in time
    assert splits_by_subject("auto", [1, 1])
    assert splits_by_subject("auto", [2, 9, 9, 500])
    assert not splits_by_subject("auto", [9, 10, 11])
    assert splits_by_subject("subject", [500, 500])
    assert not splits_by_subject("time", [1, 1])


def test_everybody_trains_validates_or_tests_whatever_the_share():
    for count in range(2, 60):
        for share in (0.01, 0.1, 0.3, 0.5):
            splits = HeldOut(share=share).of(f"p{i}" for i in range(count))
            assert {split for each in splits.values() for split in each} == set(SPLITS)
            assert (max(map(len, splits.values())) == 1) == (count > 2)


def test_people_are_held_out_by_name():
    chosen = config.read(HeldOut, {"names": ["b", "e"], "validation": ["c"]})
    assert chosen.of("abcde") == dict(zip("abcde", [("train",), ("test",), ("validation",), ("train",), ("test",)]))
    drawn = HeldOut(names=("b",)).of("abc")
    assert drawn["b"] == ("test",)
    assert sorted(drawn.values()) == [("test",), ("train",), ("validation",)]
    assert HeldOut(validation=("b",)).of("abc")["b"] == ("validation",)
    assert HeldOut(names=("b", "c")).of("abc") == {"a": ("train",), **dict.fromkeys("bc", ("validation", "test"))}
    with pytest.raises(ValueError, match="'e' is not a subject; the subjects are a, b, c"):
        chosen.of("abc")
    with pytest.raises(ValueError, match="no subject is left for the training split"):
        chosen.of("bce")
    with pytest.raises(ValueError, match="'c' cannot be both in the validation and in the test split"):
        HeldOut(names=("c",), validation=("b", "c"))
    with pytest.raises(ValueError, match=r"share is 0\.6; it must be above 0 and at most 0\.5"):
        HeldOut(share=0.6)
