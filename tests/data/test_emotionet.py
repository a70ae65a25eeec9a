"""Folders of images with OpenFace's tables."""

import shutil

import cv2
import numpy as np
import pytest
import tiny_sets
from tiny_sets import openface_header, openface_row, units_of

from lgan_jax import data


def opened(root, tmp_path, **settings):
    settings = {"name": "emotionet", "size": 48, "dir": str(root), "cache": str(tmp_path / "cache")} | settings
    return data.open_faces(data.Settings(**settings))


def picture(path, k, size=48):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), tiny_sets.face(size, 68, k)[0])


def numbers(split):
    """Which image of `tiny_sets` each record is, by its pixels."""
    known = {tiny_sets.face(48, 68, k)[0][..., ::-1].tobytes(): k for k in range(120)}
    return [known[split[i]["image"].tobytes()] for i in range(len(split))]


@pytest.fixture
def root(tmp_path):
    return tiny_sets.openface(tmp_path / "faces")


def test_a_table_for_each_picture(root, tmp_path):
    faces = opened(root, tmp_path)
    assert (faces.name, faces.info.identities, faces.info.scheme.name) == ("OpenFace: faces", ("everybody",), "ibug68")
    assert faces.counts == {"train": 22, "validation": 1, "test": 1}
    assert faces.notes == (
        "all images lie in one folder: the same person may be in several splits",
        "images in no split, since they lie between those of two splits: 6",
    )
    for split in (faces.train, faces.validation, faces.test):
        for i, k in enumerate(numbers(split)):
            record = split[i]
            np.testing.assert_allclose(record["action_units"], np.array(units_of(k), np.float32) / 5, atol=1e-6)
            np.testing.assert_allclose(record["landmarks"][0], tiny_sets.spot(record["image"]), atol=2e-3)
            assert record["action_units"].dtype == record["landmarks"].dtype == np.float32
    assert faces.has("landmarks")
    faces.require(("image", "action_units", "identity"))


def test_pictures_and_tables_in_two_folders_of_subjects(tmp_path):
    root = tmp_path / "set"
    for k in range(40):
        name = f"s{k // 4:02d}/{k % 4}"  # the same names in every folder
        picture(root / "imgs" / f"{name}.jpg", k)
        table = root / "aus" / f"{name}.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"{openface_header('image')}\n{openface_row([0, 0.9], units_of(k))}\n")
    faces = opened(root, tmp_path)
    assert faces.notes == (
        "split by folder or sequence: 8 in the training split, 1 in the validation split, 1 in the test split",
    )
    assert faces.counts == {"train": 32, "validation": 4, "test": 4}
    held = {tuple(faces.test[i]["action_units"].round(2)) for i in range(4)}
    of_folders = [{tuple((np.float32(units_of(4 * s + i)) / 5).round(2)) for i in range(4)} for s in range(10)]
    assert held in of_folders
    assert not faces.has("landmarks")
    with pytest.raises(ValueError, match="OpenFace: set has no landmarks, and this method needs them: give OpenFace's"):
        faces.require(("image", "landmarks"))


@pytest.mark.parametrize("called", ["N_{:06d}.png", "N_{:06d}", "D:\\faces\\N_{:06d}.png", "x/faces/N_{:06d}.jpg"])
@pytest.mark.parametrize("comma", [", ", ","])
def test_one_table_for_all(root, tmp_path, called, comma):
    for table in root.glob("*.csv"):
        table.unlink()
    rows = [openface_row([called.format(k), 0.95, 1], units_of(k), comma=comma) for k in range(30)]
    (root / "all.csv").write_text("\n".join([openface_header("merged", comma=comma), *rows]))
    faces = opened(root, tmp_path)
    assert len(faces.train) == 22
    for i, k in enumerate(numbers(faces.test)):
        np.testing.assert_allclose(faces.test[i]["action_units"], np.array(units_of(k), np.float32) / 5, atol=1e-6)


def test_openfaces_own_crops_of_sequences_and_photos(tmp_path):
    root = tmp_path / "processed"
    for s, name in enumerate(("anna", "bert", "carl", "dora")):
        rows = []
        for frame in range(1, 6):
            picture(root / f"{name}_aligned" / f"frame_det_00_{frame:06d}.bmp", 10 * s + frame)
            units = units_of(10 * s + frame)
            rows.append(openface_row([frame, 0, 0.04 * frame, 0.9, 1], units, tiny_sets.face(48, 68, 0)[1]))
        (root / f"{name}.csv").write_text("\n".join([openface_header("sequence", True), *rows]) + "\n")
    for face in range(2):
        picture(root / "photos" / "pair_aligned" / f"face_det_{face:06d}.bmp", 100 + face)
    picture(root / "photos" / "pair.jpg", 110)  # with what was found drawn on it
    rows = [openface_row([face, 0.9], units_of(100 + face)) for face in range(2)]
    (root / "photos" / "pair.csv").write_text("\n".join([openface_header("image"), *rows]) + "\n")
    faces = opened(root, tmp_path)
    assert faces.notes[:2] == (
        "split by folder or sequence: 3 in the training split, 1 in the validation split, 1 in the test split",
        "skipped: 1 × OpenFace's own crop of the image is used (photos/pair.jpg)",
    )
    assert not faces.has("landmarks")  # they are in the pixels of the video
    seen = numbers(faces.train) + numbers(faces.validation) + numbers(faces.test)
    assert sorted(seen) == sorted([10 * s + f for s in range(4) for f in range(1, 6)] + [100, 101])
    assert len({k // 10 for k in numbers(faces.test)}) == 1
    for i, k in enumerate(numbers(faces.train)):
        np.testing.assert_allclose(faces.train[i]["action_units"], np.array(units_of(k), np.float32) / 5, atol=1e-6)


def test_frames_of_one_sequence_are_split_into_blocks_by_number(tmp_path):
    rows = []
    for frame in range(1, 41):
        picture(tmp_path / "out" / "me_aligned" / f"frame_det_00_{frame:06d}.bmp", frame)
        rows.append(openface_row([frame, 0, 0.04 * frame, 0.9, 1], units_of(frame)))
    (tmp_path / "out" / "me.csv").write_text("\n".join([openface_header("sequence"), *rows]))
    faces = opened(tmp_path / "out", tmp_path)
    train, validation, test = (numbers(split) for split in (faces.train, faces.validation, faces.test))
    assert train == list(range(8, 34))
    assert (validation, test) == ([1, 2, 3, 4], [37, 38, 39, 40])


def edit(root, k, change):
    path = root / f"N_{k:06d}.csv"
    header, row = path.read_text().splitlines()
    path.write_text("\n".join([header, *change(row)]))


def test_bad_input_is_skipped_and_counted(root, tmp_path):
    def fields(row, changes):
        values = row.split(", ")
        for place, value in changes.items():
            values[place] = value
        return [", ".join(values)]

    edit(root, 0, lambda row: [row, row])
    edit(root, 1, lambda row: fields(row, {1: "0.4"}))
    edit(root, 2, lambda row: fields(row, {140: "5.20"}))
    edit(root, 3, lambda row: fields(row, {141: "nan"}))
    edit(root, 4, lambda row: [row + ", 7"])
    edit(root, 5, lambda row: fields(row, {4: "-300"}))
    (root / "N_000006.csv").unlink()
    (root / "N_000007.png").unlink()
    (root / "N_000008.png").write_bytes(b"no image")
    whole = (root / "N_000009.png").read_bytes()
    (root / "N_000009.png").write_bytes(whole[: len(whole) // 2])
    cv2.imwrite(str(root / "N_000010.png"), np.zeros((48, 60, 3), np.uint8))
    cv2.imwrite(str(root / "N_000011.png"), np.zeros((9, 9, 3), np.uint8))
    (root / "N_000012.csv").write_text("frame_nothing\n1\n")
    table = root / "N_000013.csv"
    table.write_text(table.read_text().replace("AU25_r", "AU24_r"))
    (root / "labels.csv").write_text("file,label\na,1\n")
    (root / "extra.csv").write_text(
        "\n".join([openface_header("merged"), openface_row(["gone.jpg", 1, 1], units_of(0))])
    )
    for k in range(14, 200):  # so many that none of the bad ones is between the parts of the split
        picture(root / f"N_{k:06d}.png", k)
        row = openface_row([0, 1.0], units_of(k), tiny_sets.face(48, 68, k)[1])
        (root / f"N_{k:06d}.csv").write_text(f"{openface_header('image', True)}\n{row}")
    (root / "N_000199.csv").write_text(
        openface_header("sequence") + "\n" + openface_row([1, 0, 0, 0.9, 0], units_of(1))
    )
    faces = opened(root, tmp_path)
    assert set(faces.notes[2:-1]) == {
        "skipped: 1 × several faces or rows for one image (N_000000.png)",
        "skipped: 1 × OpenFace's confidence is below 0.8 (N_000001.png)",
        "skipped: 1 × action units are not between 0 and 5 (N_000002.png)",
        "skipped: 1 × row with a field that is not a number (N_000003.png)",
        "skipped: 1 × row with a field missing or too many (N_000004.png)",
        "skipped: 1 × landmarks lie more than half an image outside (N_000005.png)",
        "skipped: 4 × image without a row in OpenFace's tables (N_000006.png, N_000012.png, N_000013.png, …)",
        "skipped: 3 × row without its image (N_000007.csv:2, N_000199.csv:2, extra.csv:2)",
        "skipped: 1 × no image can be decoded (N_000008.png)",
        "skipped: 1 × the image is truncated (N_000009.png)",
        "skipped: 1 × not square, so no face crop (N_000010.png)",
        "skipped: 1 × smaller than 16 pixels (N_000011.png)",
        "skipped: 2 × CSV file without action units (N_000012.csv, labels.csv)",
        "skipped: 1 × table of an image that lacks columns of action units (N_000013.csv)",
    }
    assert len(opened(root, tmp_path, confidence=0.3).train) >= len(faces.train)


def test_frames_without_a_face_are_skipped(tmp_path):
    rows = []
    for frame in range(1, 31):
        picture(tmp_path / "out" / "me_aligned" / f"frame_det_00_{frame:06d}.bmp", frame)
        rows.append(openface_row([frame, 0, 0.04 * frame, 0.9, int(frame != 20)], units_of(frame)))
    (tmp_path / "out" / "me.csv").write_text("\n".join([openface_header("sequence"), *rows]))
    faces = opened(tmp_path / "out", tmp_path)
    assert "skipped: 1 × OpenFace found no face (success 0) (me_aligned/frame_det_00_000020.bmp)" in faces.notes


def test_landmarks_of_another_picture_are_left_aside(root, tmp_path):
    for k in range(30):
        edit(root, k, lambda row: [openface_row([0, 0.9], units_of(0), 700 + tiny_sets.face(48, 68, 0)[1])])
    faces = opened(root, tmp_path)
    assert not faces.has("landmarks")
    assert len(faces.train) == 22


def test_mistakes_are_one_clear_line(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere; give the folder that holds images"):
        opened(tmp_path / "nowhere", tmp_path)
    (root / "all.csv").write_text(openface_header("merged").replace("AU05_r, ", "").replace("AU45_r, ", "") + "\n")
    with pytest.raises(
        ValueError, match=r"all\.csv is no whole table of OpenFace's action units: it has no AU05_r, AU45_r"
    ):
        opened(root, tmp_path)
    for table in root.glob("*.csv"):
        table.unlink()
    with pytest.raises(ValueError, match=r"holds no CSV tables of OpenFace; images of faces and OpenFace's output"):
        opened(root, tmp_path)
    with pytest.raises(ValueError, match=r"confidence is 95\.0; it must be between 0 and 1"):
        opened(root, tmp_path, confidence=95.0)
    (root / "one.csv").write_text(openface_header("merged") + "\n" + openface_row(["N_000001.png", 1, 1], units_of(1)))
    with pytest.raises(ValueError, match="everybody has no usable image in the validation split"):
        opened(root, tmp_path)


def test_the_place_does_not_matter_and_a_change_is_seen(root, tmp_path):
    first = opened(root, tmp_path)
    shutil.copytree(root, tmp_path / "other" / "faces", copy_function=shutil.copyfile)
    assert opened(tmp_path / "other" / "faces", tmp_path).fingerprint == first.fingerprint
    edit(root, 10, lambda row: [row.replace("5.00", "4.50")])  # one that trains
    assert opened(root, tmp_path).fingerprint != first.fingerprint
