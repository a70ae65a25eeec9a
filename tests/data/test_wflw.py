import cv2
import numpy as np
import pytest
import tiny_sets

from lgan_jax import data
from lgan_jax.data.builders import wflw


def opened(root, tmp_path, size=40):
    return data.open_faces(data.Settings(name="wflw", dir=str(root), size=size, cache=str(tmp_path / "cache")))


def list_of(root, split):
    return root / wflw.LISTS.format(split=split)


@pytest.fixture
def root(tmp_path):
    return tiny_sets.wflw(tmp_path / "wflw")


def test_reads_the_owners_layout(root, tmp_path):
    faces = opened(root, tmp_path)
    assert (faces.name, faces.info.scheme.name, faces.info.identities) == ("WFLW", "wflw98", ("WFLW",))
    assert faces.counts == {"train": 4, "validation": 1, "test": 3}  # the owners' test split as it is
    assert (faces.built_in, faces.notes) == (False, ())
    flags = [split[i]["attributes"].tolist() for split in (faces.train, faces.validation) for i in range(len(split))]
    assert sorted(flags) == sorted([k == i for k in range(6)] for i in range(5))
    record = faces.train[2]
    assert record["attributes"].dtype == bool
    assert record["image"].shape == (40, 40, 3)


def test_landmarks_lie_on_the_crop_and_fill_it(root, tmp_path):
    faces = opened(root, tmp_path, size=64)
    for split in (faces.train, faces.validation, faces.test):
        for i in range(len(split)):
            record = split[i]
            np.testing.assert_allclose(record["landmarks"][0], tiny_sets.spot(record["image"]), atol=0.02)
            low, high = record["landmarks"].min(0), record["landmarks"].max(0)
            np.testing.assert_allclose((low + high) / 2, 0.5, atol=0.05)
            assert (high - low).max() == pytest.approx(1 / 1.25, abs=0.03)


def test_a_crop_worked_by_hand():
    image = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30, 1).repeat(3, 2).astype(np.uint8)
    points = np.array([[4.0, 4.0], [13.0, 11.0], [6.0, 8.0]])
    square, landmarks = wflw.crop(image, points)  # 9 × 7 pixels; ⌈1.25 · 9⌉ = 12 around (9, 8), from edge to edge
    np.testing.assert_array_equal(square, image[2:14, 3:15])
    np.testing.assert_allclose(landmarks[0], [(4 + 0.5 - 3) / 12, (4 + 0.5 - 2) / 12])


def test_a_crop_beyond_the_border_repeats_it():
    image = np.zeros((12, 12, 3), np.uint8)
    image[:, 0] = 9
    square, landmarks = wflw.crop(image, np.array([[-4.0, 1.0], [5.0, 10.0]]))  # columns -5 to 6
    assert (square[:, :6] == 9).all()
    assert (square[:, 6:] == 0).all()
    assert landmarks.min() > 0
    assert landmarks.max() < 1


def test_large_faces_are_stored_smaller():
    square, landmarks = wflw.crop(np.zeros((900, 900, 3), np.uint8), np.array([[100.0, 100.0], [740.0, 500.0]]))
    assert square.shape == (wflw.STORED, wflw.STORED, 3)
    np.testing.assert_allclose(landmarks[1, 0] - landmarks[0, 0], 0.8)


def test_bad_records_are_skipped_and_counted(root, tmp_path):
    lines = list_of(root, "train").read_text().splitlines()
    lines[0] = lines[0][lines[0].index(" ") + 1 :]
    lines[1] = "nan" + lines[1][lines[1].index(" ") :]
    lines[2] = "-900" + lines[2][lines[2].index(" ") :]
    lines.append(lines[3].rsplit(" ", 1)[0] + " 0--Parade/none.jpg")
    lines.append(tiny_sets.line(20 + np.random.default_rng(0).random((98, 2)), lines[3].split()[-1], ["1"] * 10))
    list_of(root, "train").write_text("\n".join(lines))
    cut = root / "WFLW_images" / "0--Parade" / "test_1.jpg"
    cut.write_bytes(cut.read_bytes()[:-50])
    faces = opened(root, tmp_path)
    assert faces.counts == {"train": 1, "validation": 1, "test": 2}
    assert set(faces.notes[:-1]) == {
        "skipped: 1 × annotation line with a number missing or too many (list_98pt_rect_attr_train.txt:1)",
        "skipped: 1 × landmarks are not finite (WFLW_images/0--Parade/train_1.jpg)",
        "skipped: 1 × landmarks lie more than half an image outside (WFLW_images/0--Parade/train_2.jpg)",
        "skipped: 1 × annotation without its image (WFLW_images/0--Parade/none.jpg)",
        "skipped: 1 × face smaller than 8 pixels (WFLW_images/0--Parade/train_3.jpg)",
        "skipped: 1 × the image is truncated (WFLW_images/0--Parade/test_1.jpg)",
    }


def test_a_change_is_seen(root, tmp_path):
    first = opened(root, tmp_path)
    assert opened(root, tmp_path).fingerprint == first.fingerprint
    cv2.imwrite(str(root / "WFLW_images" / "0--Parade" / "train_0.jpg"), np.zeros((90, 120, 3), np.uint8))
    assert opened(root, tmp_path).fingerprint != first.fingerprint


def test_a_folder_without_the_layout(root, tmp_path):
    list_of(root, "test").unlink()
    with pytest.raises(ValueError, match=r"not WFLW .* it has no WFLW_annotations/.*_test\.txt"):
        opened(root, tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        opened(root / "nowhere", tmp_path)
