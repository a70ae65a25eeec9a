import json
import shutil

import cv2
import numpy as np
import pytest
import tiny_sets

from lgan_jax import data
from lgan_jax.action_units import NUMBERS
from lgan_jax.data.builders import openface
from lgan_jax.data.builders.base import SKIPPED_FILE
from lgan_jax.data.split import SPLITS, HeldOut
from lgan_jax.faces.unit_estimate import ESTIMATED


def opened(root, tmp_path, size=48, **settings):
    how = {"name": "celebv", "dir": str(root), "size": size, "cache": str(tmp_path / "cache")} | settings
    return data.open_faces(data.Settings(**how))


def image_file(root, name, i):
    return root / name / "Image" / f"{name}_{i:06d}.jpg"


def edit_line(root, name, i, change):
    (path,) = (root / name).glob("all_*pt.txt")
    lines = path.read_text().splitlines()
    lines[i] = change(lines[i])
    path.write_text("\n".join(lines))


def between(faces, count):
    """What is said of those of `count` usable images that are in no split: none is lost without a word."""
    return f"images in no split, since they lie between those of two splits: {count - sum(faces.counts.values())}"


@pytest.fixture
def root(tmp_path):
    return tiny_sets.celebv(tmp_path / "faces", {"Bea": 40, "Al": 23}, between=["0.5", "7"])


def test_reads_the_owners_layout(root, tmp_path):
    faces = opened(root, tmp_path)
    assert faces.info.identities == ("Al", "Bea")
    assert (faces.info.scheme.name, faces.info.size) == ("wflw98", 48)
    assert (faces.name, faces.built_in, faces.notes) == ("folder: faces", False, (between(faces, 40 + 23),))
    record = faces.train[0]
    assert {k: (v.shape, v.dtype) for k, v in record.items()} == {
        "image": ((48, 48, 3), np.uint8),
        "landmarks": ((98, 2), np.float32),
        "identity": ((), np.int32),
    }
    for split in (faces.train, faces.validation, faces.test):
        assert split.identity.tolist() == sorted(split.identity.tolist())
        assert [int(split[i]["identity"]) for i in range(len(split))] == split.identity.tolist()


@pytest.mark.parametrize(("size", "tolerance"), [(48, 1e-3), (24, 0.02), (96, 0.02)])
def test_landmarks_stay_on_the_picture_at_any_size(root, tmp_path, size, tolerance):
    faces = opened(root, tmp_path, size)
    for i in range(len(faces.test)):
        record = faces.test[i]
        assert record["image"].shape == (size, size, 3)
        np.testing.assert_allclose(record["landmarks"][0], tiny_sets.spot(record["image"]), atol=max(tolerance, 0.004))


def test_split_is_in_blocks_with_guards(root, tmp_path):
    faces = opened(root, tmp_path)
    frames = {}
    for i in range(40):
        _, xy = tiny_sets.face(48, 98, i)
        frames[tuple(np.round((xy[1] + 0.5) / 48, 4))] = i
    numbers = {}
    for name in faces.counts:
        split = getattr(faces, name)
        of_bea = [split[i]["landmarks"][1] for i in np.flatnonzero(split.identity == 1)]
        numbers[name] = [min(frames, key=lambda f: np.abs(np.array(f) - xy).sum()) for xy in of_bea]
        numbers[name] = [frames[f] for f in numbers[name]]
        assert numbers[name] == sorted(numbers[name])  # the order of the recording
    assert (len(numbers["validation"]), len(numbers["test"])) == (4, 4)
    held_out = numbers["validation"] + numbers["test"]
    assert np.abs(np.subtract.outer(numbers["train"], held_out)).min() == 4
    assert len(numbers["train"]) == 26


def test_68_points_and_one_person(tmp_path):
    root = tiny_sets.celebv(tmp_path / "mine", {"Cy": 12}, points=68)
    (root / "prepared.json").write_text(json.dumps({}))
    faces = opened(root, tmp_path)
    assert faces.info.scheme.name == "ibug68"
    assert faces.info.identities == ("Cy",)
    assert faces.name == "prepared: mine"
    assert faces.train[3]["landmarks"].shape == (68, 2)


def test_the_five_of_the_paper_are_named_celebv(tmp_path):
    people = ("Emmanuel_Macron", "Kathleen", "Jack_Ma", "Theresa_May", "Donald_Trump")
    assert opened(tiny_sets.celebv(tmp_path / "x", dict.fromkeys(people, 3)), tmp_path).name == "CelebV"


def test_built_once_and_again_when_the_folder_changes(root, tmp_path):
    first = opened(root, tmp_path)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.suffix != ".lock"}
    again = opened(root, tmp_path)
    assert {p: p.stat().st_mtime_ns for p in files} == files
    assert again.fingerprint == first.fingerprint
    edit_line(root, "Bea", 0, lambda line: "9.5" + line[line.index(" ") :])
    assert opened(root, tmp_path).fingerprint != first.fingerprint


def test_fingerprint_does_not_depend_on_the_place(root, tmp_path):
    first = opened(root, tmp_path)
    shutil.copytree(root, tmp_path / "elsewhere" / "faces", copy_function=shutil.copyfile)
    assert opened(tmp_path / "elsewhere" / "faces", tmp_path).fingerprint == first.fingerprint
    assert opened(root, tmp_path, size=32).fingerprint != first.fingerprint


def test_bad_records_are_skipped_and_counted(tmp_path):
    root = tiny_sets.celebv(tmp_path / "faces", {"Bea": 40, "Al": 23}, between=["0.5", "7"], step=100)  # no guards
    whole = opened(root, tmp_path)
    for i in (100, 200):
        path = image_file(root, "Bea", i)
        path.write_bytes(path.read_bytes()[:-200])
    image_file(root, "Bea", 300).write_text("no image")
    image_file(root, "Bea", 400).write_bytes(b"")
    cv2.imwrite(str(image_file(root, "Bea", 500)), np.zeros((5, 5, 3), np.uint8))
    cv2.imwrite(str(image_file(root, "Bea", 600)), np.zeros((48, 64, 3), np.uint8))
    image_file(root, "Bea", 700).unlink()
    edit_line(root, "Bea", 8, lambda line: "nan" + line[line.index(" ") :])
    edit_line(root, "Bea", 9, lambda line: "-30" + line[line.index(" ") :])
    edit_line(root, "Bea", 10, lambda line: line[line.index(" ") + 1 :])
    edit_line(root, "Bea", 11, lambda line: "x" + line[line.index(" ") :])
    edit_line(root, "Bea", 12, lambda line: "")
    edit_line(root, "Al", 1, lambda line: " ".join(["20"] * 196 + line.split()[196:]))
    large, xy = tiny_sets.face(80, 98, 77)  # another size is no mistake
    cv2.imwrite(str(image_file(root, "Al", 0)), large)
    edit_line(root, "Al", 0, lambda line: tiny_sets.line(xy, line.split()[-1], ["0.5", "7"]))
    faces = opened(root, tmp_path)
    expected = {
        "skipped: 2 × the image is truncated (Bea/Image/Bea_000100.jpg, Bea/Image/Bea_000200.jpg)",
        "skipped: 2 × no image can be decoded (Bea/Image/Bea_000300.jpg, Bea/Image/Bea_000400.jpg)",
        "skipped: 1 × smaller than 16 pixels (Bea/Image/Bea_000500.jpg)",
        "skipped: 1 × not square, so no face crop (Bea/Image/Bea_000600.jpg)",
        "skipped: 1 × annotation without its image (Bea/Image/Bea_000700.jpg)",
        "skipped: 1 × landmarks are not finite (Bea/Image/Bea_000800.jpg)",
        "skipped: 1 × landmarks lie more than half an image outside (Bea/Image/Bea_000900.jpg)",
        "skipped: 2 × annotation line with a number missing or too many (Bea/Image/Bea_001000.jpg, "
        "Bea/Image/Bea_001100.jpg)",
        "skipped: 1 × image without an annotation (Bea/Image/Bea_001200.jpg)",
        "skipped: 1 × all landmarks lie at one point (Al/Image/Al_000100.jpg)",
    }
    assert set(faces.notes[:-1]) == expected
    (listed,) = [p for p in (tmp_path / "cache").rglob(SKIPPED_FILE) if p.stat().st_size]
    assert str(listed) in faces.notes[-1]
    assert len(listed.read_text().splitlines()) == 13
    assert 0 < len(faces.train) < len(whole.train)
    first = faces.train[0]
    assert first["image"].shape == (48, 48, 3)
    np.testing.assert_allclose(first["landmarks"], (xy + 0.5) / 80, atol=1e-4)


def test_long_lists_of_names_are_cut(root, tmp_path):
    for i in range(10, 15):
        image_file(root, "Bea", i).unlink()
    notes = opened(root, tmp_path).notes
    assert notes[1].startswith("skipped: 5 × annotation without its image (")
    assert notes[1].endswith("Bea_000012.jpg, …)")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        opened(tmp_path / "nowhere", tmp_path)


def test_a_folder_without_the_layout(tmp_path):
    (tmp_path / "empty" / "Somebody").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"has neither <Identity>/all_98pt.txt nor <Identity>/all_68pt.txt"):
        opened(tmp_path / "empty", tmp_path)


def test_two_kinds_of_landmarks(root, tmp_path):
    tiny_sets.celebv(root, {"Dee": 5}, points=68)
    with pytest.raises(ValueError, match=r"all_68pt.txt and all_98pt.txt"):
        opened(root, tmp_path)


@pytest.mark.parametrize("count", [1, 2])
def test_a_person_with_one_frame_or_two(tmp_path, count):
    root = tiny_sets.celebv(tmp_path / "faces", {"Al": 5, "Bea": count})
    said = rf"Bea has {count} image.*at least 3, one for each split.* or set config\.data\.split=subject"
    with pytest.raises(ValueError, match=said):
        opened(root, tmp_path, split="time")


def test_people_with_a_photo_or_two_are_split_by_subject(tmp_path):
    names = [f"p{i:02d}" for i in range(24)]
    root = tiny_sets.celebv(tmp_path / "faces", {name: 1 + i % 2 for i, name in enumerate(names)})
    image_file(root, "p03", 0).write_bytes(b"broken")
    image_file(root, "p04", 0).unlink()  # his only one
    faces = opened(root, tmp_path)
    shown = [set(split.identity.tolist()) for split in (faces.train, faces.validation, faces.test)]
    chosen = HeldOut().of(set(names) - {"p04"})
    assert [{names[i] for i in each} for each in shown] == [
        {name for name, splits in chosen.items() if splits == (split,)} for split in SPLITS
    ]
    assert sum(faces.counts.values()) == 36 - 2
    assert sum(map(len, shown)) == 23
    assert any(note.startswith("split by subject: ") for note in faces.notes)
    with pytest.raises(
        ValueError, match=r"p\d\d is not in the training split, and this method learns a network for each"
    ):
        faces.require_everybody()
    named = opened(root, tmp_path, held_out_subjects=HeldOut(names=("p05",), validation=("p06",)))
    assert (set(named.test.identity), set(named.validation.identity)) == ({5}, {6})


def test_whole_people_on_request_and_one_person_alone(tmp_path):
    root = tiny_sets.celebv(tmp_path / "faces", {"Al": 30, "Bea": 40, "Cy": 12})
    faces = opened(root, tmp_path, split="subject")
    assert sorted(len(set(split.identity)) for split in (faces.train, faces.validation, faces.test)) == [1, 1, 1]
    assert sum(faces.counts.values()) == 82
    for name in ("Al", "Bea"):
        shutil.rmtree(root / name)
    with pytest.raises(ValueError, match="a split by subject needs at least 2 subjects, not 1"):
        opened(root, tmp_path, split="subject")


def test_a_recording_too_short_for_the_guard_is_said(tmp_path):
    root = tiny_sets.celebv(tmp_path / "faces", {"Al": 3, "Bea": 12, "Cy": 14})
    faces = opened(root, tmp_path)
    assert faces.notes == (
        "Al: 3 frames are too few to leave out 3 between the splits; it is 0",
        "Bea: 12 frames are too few to leave out 3 between the splits; it is 2",
        between(faces, 3 + 12 + 14),
    )
    assert np.bincount(faces.train.identity).tolist() == [1, 6, 6]


def test_an_empty_annotation_file(root, tmp_path):
    (root / "Al" / "all_98pt.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"Al has 0 image"):
        opened(root, tmp_path)


def test_everything_skipped(tmp_path):
    root = tiny_sets.celebv(tmp_path / "faces", {"Al": 4})
    for path in (root / "Al" / "Image").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"no usable image; skipped: . × no image can be decoded"):
        opened(root, tmp_path)
    assert not list((tmp_path / "cache").rglob("metadata.json"))  # nothing half-built stays


def test_nobody_left_to_test_with(tmp_path):
    root = tiny_sets.celebv(tmp_path / "faces", {"Al": 5})
    image_file(root, "Al", 4).write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"Al has no usable image in the test split"):
        opened(root, tmp_path)


def test_names_without_numbers_follow_the_alphabet(tmp_path):
    root = tiny_sets.celebv(tmp_path / "faces", {"Al": 3})
    annotation = root / "Al" / "all_98pt.txt"
    for i, name in enumerate("cab"):
        image_file(root, "Al", i).rename(root / "Al" / "Image" / f"{name}.jpg")
        annotation.write_text(annotation.read_text().replace(f"Al_{i:06d}.jpg", f"{name}.jpg"))
    faces = opened(root, tmp_path)
    expected = [(tiny_sets.face(48, 98, i)[1] + 0.5) / 48 for i in (1, 2, 0)]  # a, b, c; b is in the middle
    for split, points in zip((faces.validation, faces.train, faces.test), expected, strict=True):
        np.testing.assert_allclose(split[0]["landmarks"], points, atol=1e-4)


def write_units(root, people):
    """Tables as `prepare` writes them: all of frame i's units are (i % 6) / 5."""
    for name, count in people.items():
        names = [f"{name}_{i:06d}.jpg" for i in range(count)]
        values = np.repeat(np.arange(count)[:, None] % 6 / 5, len(ESTIMATED), 1)
        (root / name / "action_units.csv").write_text(openface.table_text(names, values, ESTIMATED, "an estimate"))


def test_action_units_beside_the_landmarks(root, tmp_path):
    without = opened(root, tmp_path)
    with pytest.raises(ValueError, match=r"folder: faces has no action units, .*: repeat the command that prepared"):
        without.require(("image", "action_units"))
    write_units(root, {"Bea": 40, "Al": 23})
    faces = opened(root, tmp_path)
    assert faces.fingerprint != without.fingerprint
    assert faces.notes == (between(faces, 40 + 23),)
    faces.require(("image", "action_units", "landmarks"))
    known = [NUMBERS.index(number) for number in ESTIMATED]
    for i in np.flatnonzero(faces.test.identity == 1):
        record = faces.test[i]
        drawn = [(tiny_sets.face(48, 98, k)[1] + 0.5) / 48 for k in range(40)]
        (frame,) = (k for k in range(40) if np.allclose(drawn[k], record["landmarks"], atol=1e-4))
        np.testing.assert_allclose(record["action_units"][known], frame % 6 / 5, atol=1e-6)
        assert np.delete(record["action_units"], known).max() == 0


def test_action_units_of_some_people_or_pictures_only(root, tmp_path):
    write_units(root, {"Bea": 40})
    with pytest.raises(
        ValueError, match=r"Al has no action_units\.csv .* repeat the command that prepared this folder"
    ):
        opened(root, tmp_path)
    write_units(root, {"Bea": 40, "Al": 23})
    table = root / "Al" / "action_units.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:2], lines[2].replace("0.000", "7.000"), *lines[3:-1]]))
    assert opened(root, tmp_path).notes[1:-1] == (
        "skipped: 1 × action units are not between 0 and 5 (Al/Image/Al_000000.jpg)",
        "skipped: 1 × image without action units (Al/Image/Al_000022.jpg)",
    )


def test_the_data_set_of_action_units_reads_prepared_folders_too(root, tmp_path):
    (root / "prepared.json").write_text("{}")
    write_units(root, {"Bea": 40, "Al": 23})
    faces = data.open_faces(data.Settings(name="emotionet", dir=str(root), size=48, cache=str(tmp_path / "cache")))
    assert (faces.name, faces.info.identities) == ("prepared: faces", ("Al", "Bea"))
    assert faces.has("action_units")
