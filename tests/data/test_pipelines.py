import itertools
import json

import grain
import numpy as np
import orbax.checkpoint as ocp
import pytest

from lgan_jax import data
from lgan_jax.data import partners, pipelines
from lgan_jax.media import images

SIZES = (7, 4, 5)  # images of each identity
TOTAL = sum(SIZES)


@pytest.fixture(scope="module")
def split():
    """Image i is gray of value 10 i, its landmarks are all i / 100, identities come one after the other."""
    identity = np.repeat(np.arange(len(SIZES)), SIZES)
    records = [
        {
            "image": images.encode_png(np.full((16, 16, 3), 10 * i, np.uint8)),
            "landmarks": np.full((6, 2), i / 100, np.float32),
            "identity": int(who),
            "pose": np.full(3, i, np.float32),
        }
        for i, who in enumerate(identity)
    ]
    return data.Split(records, identity, 16)


def numbers(batch):
    """Which images are in a batch."""
    return np.round(batch["landmarks"][..., 0, 0] * 100).astype(int)


def take(iterator, count):
    return [numbers(batch) for batch in itertools.islice(iterator, count)]


def same(batches, others):
    return len(batches) == len(others) and all(np.array_equal(a, b) for a, b in zip(batches, others))


def test_a_batch_of_single_images(split):
    batch = next(pipelines.training_batches(split, 4, 0, "single"))
    assert {k: (v.shape, v.dtype) for k, v in batch.items()} == {
        "image": ((4, 16, 16, 3), np.float32),
        "landmarks": ((4, 6, 2), np.float32),
        "identity": ((4,), np.int32),
    }
    np.testing.assert_allclose(batch["image"][:, 3, 5, 1], numbers(batch) * 10 / 127.5 - 1, atol=1e-6)


def test_a_batch_of_one_of_each(split):
    batch = next(
        pipelines.training_batches(split, 4, 0, "one_of_each", keys=("image", "identity", "landmarks", "pose"))
    )
    assert {k: v.shape for k, v in batch.items()} == {
        "image": (4, 3, 16, 16, 3),
        "landmarks": (4, 3, 6, 2),
        "identity": (4, 3),
        "pose": (4, 3, 3),
    }
    np.testing.assert_array_equal(batch["identity"], np.broadcast_to([0, 1, 2], (4, 3)))
    np.testing.assert_array_equal(batch["pose"][..., 0], numbers(batch))
    np.testing.assert_allclose(batch["image"][..., 3, 5, 1], numbers(batch) * 10 / 127.5 - 1, atol=1e-6)


def test_records_have_their_numbers_on_request(split):
    batch = next(pipelines.training_batches(split, 5, 0, "single", keys=("landmarks", "index")))
    assert batch["index"].dtype == np.int32
    np.testing.assert_array_equal(batch["index"], numbers(batch))


def test_white_and_black_are_one_and_minus_one():
    pictures = [images.encode_png(np.full((16, 16, 3), v, np.uint8)) for v in (0, 255)]
    records = [{"image": p, "landmarks": np.zeros((1, 2), np.float32), "identity": 0} for p in pictures]
    batch = pipelines.load(data.Split(records, np.zeros(2, np.int32), 16), np.array([[0], [1]]), "single")
    np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], [-1, 1])


def test_every_epoch_has_every_image_once_in_a_new_order(split):
    seen = np.concatenate(take(pipelines.training_batches(split, 3, 1, "single"), TOTAL)).reshape(3, TOTAL)
    np.testing.assert_array_equal(np.sort(seen, 1), np.broadcast_to(np.arange(TOTAL), (3, TOTAL)))
    assert len({tuple(epoch) for epoch in seen}) == 3


def test_every_identity_has_its_own_epochs(split):
    seen = np.concatenate(take(pipelines.training_batches(split, 2, 1, "one_of_each"), 70))
    for column, (first, count) in enumerate(zip((0, 7, 11), SIZES)):
        epochs = seen[:, column].reshape(-1, count)
        np.testing.assert_array_equal(np.sort(epochs, 1), np.broadcast_to(first + np.arange(count), epochs.shape))
    # over time, every image of one meets every image of the others
    assert len({(a, b) for a, b, _ in seen}) == 28


def test_the_order_depends_on_the_seed_alone(split):
    def run(seed, threads):
        return take(pipelines.training_batches(split, 4, seed, "one_of_each", threads=threads), 12)

    assert same(run(3, 0), run(3, 4))
    assert not same(run(3, 0), run(4, 0))


@pytest.mark.parametrize("threads", [0, 2])
def test_continues_in_the_middle_of_an_epoch(split, threads):
    iterator = pipelines.training_batches(split, 3, 9, "one_of_each", threads=threads)
    take(iterator, 4)
    state = json.loads(json.dumps(iterator.get_state()))
    rest = take(iterator, 9)
    other = pipelines.training_batches(split, 3, 9, "one_of_each", threads=threads)
    take(other, 2)
    other.set_state(state)
    assert same(take(other, 9), rest)


def test_saved_and_restored_with_orbax(split, tmp_path):
    iterator = pipelines.training_batches(split, 3, 2, "single")
    take(iterator, 3)
    state = {"w": np.arange(5.0)}
    with ocp.CheckpointManager(tmp_path / "saved") as manager:
        saved = ocp.args.Composite(state=ocp.args.StandardSave(state), data=grain.checkpoint.CheckpointSave(iterator))
        manager.save(3, args=saved)
    rest = take(iterator, 8)
    other = pipelines.training_batches(split, 3, 2, "single")
    with ocp.CheckpointManager(tmp_path / "saved") as manager:
        wanted = ocp.args.Composite(
            state=ocp.args.StandardRestore(state), data=grain.checkpoint.CheckpointRestore(other)
        )
        restored = manager.restore(3, args=wanted)
    assert same(take(restored["data"], 8), rest)


@pytest.mark.parametrize("grouping", ["single", "one_of_each"])
def test_processes_share_a_batch_by_rows(split, grouping):
    whole = take(pipelines.training_batches(split, 6, 5, grouping), 8)
    shares = [take(pipelines.training_batches(split, 6, 5, grouping, shard=(p, 3)), 8) for p in range(3)]
    assert same([np.concatenate(parts) for parts in zip(*shares)], whole)


def test_a_batch_that_cannot_be_shared(split):
    with pytest.raises(ValueError, match="a batch of 5 cannot be shared by 2 processes"):
        pipelines.training_batches(split, 5, 0, "single", shard=(0, 2))
    with pytest.raises(ValueError, match="a batch of 0"):
        pipelines.training_batches(split, 0, 0, "single")
    with pytest.raises(ValueError, match="this is number 2"):
        pipelines.training_batches(split, 4, 0, "single", shard=(2, 2))


def test_an_identity_without_images(split):
    lonely = data.Split([split.source[0], split.source[15]], np.array([0, 2]), 16)
    with pytest.raises(ValueError, match="an identity has no images"):
        pipelines.training_batches(lonely, 2, 0, "one_of_each")


def test_held_out_images_are_evenly_spaced(split):
    batches = [numbers(batch) for batch in pipelines.spaced_batches(split, "one_of_each", 3, 2)]
    # of seven images the middles of three parts are 1, 3, 5, of four 0, 2, 3, of five 0, 2, 4
    assert np.concatenate(batches).tolist() == [[1, 7, 11], [3, 9, 13], [5, 10, 15]]
    assert [len(batch) for batch in batches] == [2, 1]
    assert same([numbers(batch) for batch in pipelines.spaced_batches(split, "one_of_each", 3, 2)], batches)


def test_held_out_single_images_take_turns(split):
    batches = pipelines.spaced_batches(split, "single", 2, 4)
    assert np.concatenate([numbers(b) for b in batches]).tolist() == [1, 8, 12, 5, 10, 14]
    assert batches[0]["identity"].tolist() == [0, 1, 2, 0]


@pytest.fixture(scope="module")
def pairs(split):
    """Twelve of the images, four of each identity, as pairs."""
    kept = [0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14]
    return data.Split([split.source[i] for i in kept], split.identity[kept], 16, pairs=partners.in_turns)


def test_pairs_stay_together(pairs):
    known = [[0, 1], [2, 3], [7, 8], [9, 10], [11, 12], [13, 14]]
    batches = take(pipelines.training_batches(pairs, 3, 1, "pairs"), 6)
    assert [batch.shape for batch in batches] == [(3, 2)] * 6
    epochs = np.concatenate(batches).reshape(3, 6, 2).tolist()
    assert all(sorted(epoch) == known for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_held_out_pairs_take_turns(pairs):
    batches = pipelines.spaced_batches(pairs, "pairs", 1, 2)
    assert np.concatenate([numbers(b) for b in batches]).tolist() == [[2, 3], [9, 10], [13, 14]]
    assert batches[0]["image"].shape == (2, 2, 16, 16, 3)


def test_faces_that_come_in_no_pairs(split):
    with pytest.raises(ValueError, match="have no pairs"):
        pipelines.training_batches(split, 1, 1, "pairs")
    with pytest.raises(ValueError, match="have no pairs"):
        pipelines.spaced_batches(split, "pairs", 1, 1)


def test_held_out_takes_what_there_is(split):
    (batch,) = pipelines.spaced_batches(split, "one_of_each", 50, 10)
    assert batch["image"].shape[:2] == (4, 3)  # the one with the fewest has four
    (batch,) = pipelines.spaced_batches(split, "single", 50, 100)
    assert sorted(numbers(batch)) == list(range(TOTAL))
    with pytest.raises(ValueError, match="at least 1"):
        pipelines.spaced_batches(split, "single", 0, 1)


LABELS = ([0, 0, 3, 3, 5], [0, 1, 1, 0, 7, 7], [2, 2])  # the last one has no partners
SHOWN = np.concatenate(LABELS)
WHO = np.repeat([0, 2, 3], [5, 6, 2])  # number 1 is held out
PARTNERED = 11


@pytest.fixture(scope="module")
def labelled(split):
    """Thirteen of the images, with expressions, of people of whom one is missing."""
    return data.Split(split.source, WHO, 16, expression=SHOWN)


def test_sources_and_targets_are_of_one_person_with_other_expressions(labelled):
    batches = take(pipelines.training_batches(labelled, PARTNERED, 1, "expressions"), 300)
    seen = np.stack(batches)  # an epoch each
    assert seen.shape == (300, PARTNERED, 2)
    np.testing.assert_array_equal(np.sort(seen[..., 0], 1), np.broadcast_to(np.arange(PARTNERED), (300, PARTNERED)))
    source, target = seen.reshape(-1, 2).T
    assert (WHO[source] == WHO[target]).all()
    assert (SHOWN[source] != SHOWN[target]).all()
    couples = {(int(a), int(b)) for a, b in zip(source, target)}
    assert {(b, a) for a, b in couples} == couples
    assert len(couples) == 2 * (2 * 2 + 2 * 1 + 2 * 1) + 2 * (2 * 2 * 3)
    assert 0.4 < (target[source == 0] == 4).mean() < 0.6  # the one image of one of two other expressions


def test_couples_depend_on_the_seed_alone(labelled):
    def run(seed, threads=0, shard=(0, 1)):
        return take(pipelines.training_batches(labelled, 4, seed, "expressions", threads=threads, shard=shard), 9)

    assert same(run(3), run(3, threads=2))
    assert not same(run(3), run(4))
    halves = [run(3, shard=(process, 2)) for process in range(2)]
    assert same([np.concatenate(parts) for parts in zip(*halves)], run(3))


def test_held_out_couples_are_spaced_over_the_expressions(labelled):
    batches = pipelines.spaced_batches(labelled, "expressions", 2, 3)
    # By expression, the first person's are 0 1, 2 3, 4 and the second's 5 8, 6 7, 9 10: sources are 1 and 3, 7 and 10.
    assert np.concatenate([numbers(batch) for batch in batches]).tolist() == [[1, 2], [7, 9], [3, 4], [10, 8]]
    assert [len(batch["image"]) for batch in batches] == [3, 1]
    (few,) = pipelines.spaced_batches(labelled, "expressions", 2, 3, most=2)
    assert numbers(few).tolist() == [[1, 2], [7, 9]]
    (every,) = pipelines.spaced_batches(labelled, "expressions", 20, 99)
    assert sorted(numbers(every)[:, 0]) == list(range(PARTNERED))
    assert (SHOWN[numbers(every)[:, 0]] != SHOWN[numbers(every)[:, 1]]).all()


def test_faces_without_expressions_or_with_one_each(split, labelled):
    with pytest.raises(ValueError, match="these faces have no expressions"):
        pipelines.training_batches(split, 1, 1, "expressions")
    one = data.Split(split.source[:5], labelled.identity[:5], 16, expression=np.zeros(5, np.int32))
    with pytest.raises(ValueError, match="no person in this split has images with two different expressions"):
        pipelines.spaced_batches(one, "expressions", 1, 1)


def test_people_who_are_not_in_a_split_are_left_aside(labelled):
    (batch,) = pipelines.spaced_batches(labelled, "single", 1, 8)
    assert batch["identity"].shape == (3,)
    with pytest.raises(ValueError, match="an identity has no images"):
        pipelines.spaced_batches(labelled, "one_of_each", 1, 8)
