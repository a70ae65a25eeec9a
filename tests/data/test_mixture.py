"""Several folders, and the built-in faces, as one data set."""

import collections
import itertools
import pickle

import numpy as np
import pytest
import tiny_sets

from lgan_jax import data
from lgan_jax.data import mixture, pipelines, synthetic
from lgan_jax.data.training_landmarks import described
from lgan_jax.media import images

DRAWN = synthetic.Settings(identities=2, train_per_identity=3, validation_per_identity=1, test_per_identity=1)


@pytest.fixture
def folders(tmp_path):
    """A folder of one long recording, and one of two people with a photo or two, both with 68 landmarks."""
    tiny_sets.celebv(tmp_path / "videos", {"Al": 40}, points=68)
    tiny_sets.celebv(tmp_path / "photos", {"Bea": 2, "Cy": 1, "Di": 2, "Ed": 2}, points=68)
    return tmp_path


def opened(tmp_path, *names, **settings):
    dirs = ",".join(name if name == "built_in" else str(tmp_path / name) for name in names)
    how = {"name": "celebv", "dir": dirs, "size": 48, "cache": str(tmp_path / "cache"), "built_in": DRAWN} | settings
    return data.open_faces(data.Settings(**how))


def test_folders_and_built_in_faces_are_one_after_the_other(folders):
    faces = opened(folders, "videos", "built_in", "photos")
    alone = [opened(folders, name, scheme="ibug68") for name in ("videos", "built_in", "photos")]
    assert faces.name == "folder: videos + built-in faces + folder: photos"
    assert not faces.built_in
    assert faces.drawn is None
    assert faces.info.scheme.name == "ibug68"  # of the folders; the setting's is wflw98
    assert faces.info.identities == ("Al", *alone[1].info.identities, "Bea", "Cy", "Di", "Ed")
    for split in ("train", "validation", "test"):
        joined, parts = getattr(faces, split), [getattr(each, split) for each in alone]
        assert len(joined) == sum(map(len, parts))
        names = [each.info.identities[i] for each, part in zip(alone, parts) for i in part.identity]
        assert [faces.info.identities[i] for i in joined.identity] == names
        for index in (0, len(parts[0]), len(joined) - 1):
            assert joined[index].keys() == {"image", "landmarks", "identity"}  # the built-in faces have more
            assert joined[index]["identity"] == joined.identity[index] == joined.without_image(index)["identity"]
        np.testing.assert_array_equal(joined[len(parts[0])]["image"], parts[1][0]["image"])
        np.testing.assert_array_equal(joined[-1]["landmarks"], parts[2][-1]["landmarks"])
    assert faces.info.images == len(faces.train)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(faces.train))[-1]["image"], faces.train[-1]["image"])
    assert any(note.startswith("folder: photos: split by subject: ") for note in faces.notes)
    with pytest.raises(ValueError, match="folder: videos has no action units, and this method needs them"):
        faces.require(["action_units"])
    about = described(faces, faces.info)
    assert about["fingerprint"] not in {each.fingerprint for each in alone}
    expected = [(each.name, each.fingerprint, each.counts) for each in alone]
    assert [(part["name"], part["fingerprint"], part["images"]) for part in about["parts"]] == expected


def test_the_fingerprint_covers_every_folder(folders):
    before = opened(folders, "videos", "photos").fingerprint
    assert opened(folders, "videos", "photos").fingerprint == before
    assert opened(folders, "photos", "videos").fingerprint != before
    (folders / "photos" / "Bea" / "Image" / "Bea_000001.jpg").unlink()
    assert opened(folders, "videos", "photos").fingerprint != before


def test_folders_of_photos_are_of_unknown_people_and_share_their_identity():
    assert mixture.identities([("a", ("CelebA",)), ("b", ("CelebA",)), ("c", ("Al",))]) == ("CelebA", "Al")


@pytest.mark.parametrize(
    ("names", "settings", "said"),
    [
        (
            ("videos", "again"),
            {},
            "folder: videos and folder: again both have a person Al: put one person's recordings",
        ),
        (
            ("videos", "wflw"),
            {},
            "folder: videos has the landmarks ibug68 and folder: wflw has wflw98: a run needs one",
        ),
        (("videos", "videos"), {}, "videos twice; set shares to see a folder more often"),
        (("built_in", "built_in"), {}, "dir names built_in twice"),
        (("videos", "nowhere"), {}, "there is no folder .*nowhere"),
        (("videos", "photos"), {"shares": (0.5,)}, "shares has 1 numbers, and dir names 2 folders: give one for each"),
        (("videos",), {"shares": (1.0,)}, "shares has 1 numbers, and dir names 1 folders"),
        (("videos", "photos"), {"shares": (0.5, 0.6)}, r"shares are 0\.5, 0\.6, which sum to 1\.1, not to 1"),
        (("videos", "photos"), {"shares": (1.5, -0.5)}, r"shares has 1\.5; a share is at least 0\.001 and below 1"),
        (("videos", "photos"), {"shares": (float("nan"), 0.5)}, "shares has nan; a share is"),
        (("videos", "photos"), {"shares": (1.0, 0.0)}, r"shares has 1\.0; a share is"),
    ],
)
def test_what_cannot_be_mixed_is_refused_before_anything_is_built(folders, names, settings, said):
    tiny_sets.celebv(folders / "again", {"Al": 3}, points=68)
    tiny_sets.celebv(folders / "wflw", {"Flo": 3}, points=98)
    with pytest.raises((ValueError, FileNotFoundError), match=said) as raised:
        opened(folders, *names, **settings)
    assert "\n" not in str(raised.value)
    assert not list(folders.rglob("metadata.json"))


def test_an_empty_name_among_the_folders():
    with pytest.raises(ValueError, match="a name between its commas is empty"):
        data.Settings(name="celebv", dir="a,,b", size=48)


def test_a_folder_with_a_comma_in_its_name(tmp_path):
    tiny_sets.celebv(tmp_path / "Al, at home", {"Al": 12}, points=68)
    assert opened(tmp_path, "Al, at home").name == "folder: Al, at home"


PICTURE = images.encode_png(np.zeros((16, 16, 3), np.uint8))
SIZES = (70, 9, 5)


def part(count, pairs=()):
    """Records of two people in turn; `pairs` of them."""
    record = {"image": PICTURE, "landmarks": np.zeros((1, 2), np.float32)}
    records = [record | {"identity": i % 2, "expression": i % 3} for i in range(count)]
    labels = np.arange(count) % 3
    found = np.array(pairs, int).reshape(-1, 2)
    return data.Split(records, np.arange(count) % 2, 16, pairs=lambda _: found, expression=labels)


def mixed(shares, parts=None):
    parts = parts or [part(count) for count in SIZES]
    numbers = [2 * i + np.arange(2) for i in range(len(parts))]
    return mixture.MixedSplit(parts, numbers, {"image", "landmarks", "identity", "expression"}, 16, shares)


def rows(split, grouping, count, start=0):
    """The first record of each example of batches of 10."""
    batches = pipelines.training_batches(split, 10, 4, grouping, keys=("index",))
    if start:
        batches.set_state(start)
    return np.concatenate([batch["index"].reshape(10, -1)[:, 0] for batch in itertools.islice(batches, count)])


def test_every_thousand_examples_have_the_shares():
    split = mixed((0.2, 0.5, 0.3))
    seen = rows(split, "single", 200)
    part_of = np.searchsorted(split.starts, seen, side="right") - 1
    for thousand in part_of.reshape(2, 1000):
        assert np.bincount(thousand).tolist() == [200, 500, 300]
    assert len(set(part_of[:20])) == 3  # in random order
    small = seen[part_of == 2].reshape(-1, 5)  # the part's own epochs go on from one thousand to the next
    np.testing.assert_array_equal(np.sort(small, 1), np.broadcast_to(79 + np.arange(5), small.shape))
    assert len({tuple(epoch) for epoch in small}) > 50


def test_without_shares_every_image_is_in_every_epoch():
    seen = rows(mixed(()), "single", 42).reshape(5, 84)
    np.testing.assert_array_equal(np.sort(seen, 1), np.broadcast_to(np.arange(84), (5, 84)))


def test_a_mixture_resumes_where_it_was():
    split = mixed((0.2, 0.5, 0.3))
    batches = pipelines.training_batches(split, 10, 4, "single", keys=("index",))
    for _ in range(105):  # into the second thousand
        next(batches)
    np.testing.assert_array_equal(rows(split, "single", 9, batches.get_state()), rows(split, "single", 114)[-90:])


def test_pairs_and_couples_stay_within_a_part():
    parts = [part(70, [(0, 2)]), part(9, [(1, 3), (2, 4)]), part(5)]
    split = mixed((0.25, 0.25, 0.5), parts)
    assert split.pairs.tolist() == [[0, 2], [71, 73], [72, 74]]
    seen = collections.Counter(rows(split, "pairs", 100).tolist())
    assert (seen[0], seen[71] + seen[72]) == (500, 500)  # the part without pairs leaves its share to the others
    couples = pipelines.training_batches(split, 100, 0, "expressions", keys=("identity", "expression"))
    for batch in itertools.islice(couples, 5):
        source, target = batch["identity"].T
        np.testing.assert_array_equal(source, target)
        assert (batch["expression"][:, 0] != batch["expression"][:, 1]).all()
