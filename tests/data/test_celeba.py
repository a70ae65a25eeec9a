"""CelebA in its owners' layout, other folders of photos, and what is wrong with some copies."""

import numpy as np
import posed_sets
import pytest

pytest.importorskip("dlib", reason="needs the extra [faces]")

from small_videos import face, scene

from lgan_jax import data
from lgan_jax.data.builders import celeba as celeba_builder
from lgan_jax.data.builders.celeba import partition
from lgan_jax.faces import Faces
from lgan_jax.landmarks import IBUG68_TO_INNER49, INNER49, inter_ocular

PLACE = (60, 20)  # of the face in a photo


def photo(person, beside=()):
    return scene((face(person, 224)[0], *PLACE), *beside)


def celeba(root, people, parts="0\n1\n2"):
    """Photos of people in CelebA's layout; the list's parts are dealt out over them in turns."""
    turns = parts.split()
    for i, person in enumerate(people):
        posed_sets.write(root / "img_align_celeba" / f"{i + 1:06d}.jpg", photo(person))
    lines = [f"{i + 1:06d}.jpg {turns[i % len(turns)]}\n" for i in range(len(people))]
    (root / "list_eval_partition.txt").write_text("".join(lines))
    return root


def opened(root, cache, **options):
    return data.open_faces(data.Settings(name="celeba", dir=str(root), size=64, cache=str(cache), **options))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return celeba(tmp_path_factory.mktemp("celeba") / "CelebA", [0, 1, 2])


@pytest.mark.parametrize("crops", ["box", "aligned", "ffhq"])
def test_crops_faces_with_49_landmarks(root, tmp_path, crops):
    faces = opened(root, tmp_path / "cache", crops=crops)
    assert (faces.name, faces.info.scheme.name, faces.info.images) == ("CelebA", "inner49", 1)
    assert faces.counts == {"train": 1, "validation": 1, "test": 1}
    record = faces.test[0]
    assert record["image"].shape == (64, 64, 3)
    assert record["landmarks"].shape == (49, 2)
    points, (true, drawn) = record["landmarks"], (face(2, 224)[1][IBUG68_TO_INNER49], face(2, 224)[0])
    assert (0.25 if crops == "ffhq" else 0.3) < inter_ocular(points, INNER49) < 0.75
    shape, wanted = (x - x.mean(0) for x in (points, true))
    wanted *= inter_ocular(points, INNER49) / inter_ocular(true, INNER49)
    assert np.linalg.norm(shape - wanted, axis=-1).mean() < 0.06 * inter_ocular(points, INNER49)
    eyes, skin = ((points[i] * 64).astype(int) for i in (slice(19, 31), slice(10, 14)))
    assert record["image"][skin[:, 1], skin[:, 0]].mean() > record["image"][eyes[:, 1], eyes[:, 0]].mean()
    assert drawn.shape == (224, 224, 3)


def test_of_several_faces_the_largest_and_what_is_left_out_is_counted(tmp_path):
    root = celeba(tmp_path / "CelebA", [0, 1, 2, 3], parts="0 2 0 1")
    pictures = root / "img_align_celeba"
    small = face(1, 88)[0]
    posed_sets.write(pictures / "000003.jpg", scene((face(2, 224)[0], 96, 20), (small, 4, 4)))
    posed_sets.write(pictures / "000005.png", np.full((90, 90, 3), 120, np.uint8))
    posed_sets.write(pictures / "000006.png", np.zeros((20, 20, 3), np.uint8))
    posed_sets.write(pictures / "000007.png", photo(0))
    (pictures / "000008.jpg").write_bytes((pictures / "000001.jpg").read_bytes()[:4000])
    with (root / "list_eval_partition.txt").open("a") as file:
        file.write("000005.png 0\n000006.png 0\n000008.jpg 0\n")
    faces = opened(root, tmp_path / "cache")
    assert faces.counts == {"train": 2, "validation": 1, "test": 1}
    assert faces.train[1]["image"].shape == (64, 64, 3)
    skipped = "\n".join(faces.notes)
    for reason in (
        "1 × no face is found (img_align_celeba/000005.png)",
        "1 × smaller than 32 pixels (img_align_celeba/000006.png)",
        "1 × photo that is not in list_eval_partition.txt (img_align_celeba/000007.png)",
        "1 × the image is truncated (img_align_celeba/000008.jpg)",
    ):
        assert f"skipped: {reason}" in skipped


class Cascade:
    """Sees a small face in a corner and the large one."""

    def __init__(self, path):
        assert path.endswith("haarcascade_frontalface_default.xml")

    def detectMultiScale(self, grey, minSize):
        assert grey.shape == (256, 320)
        assert minSize == (51, 51)
        return np.array([[4, 4, 60, 60], [92, 60, 160, 160]])


def test_the_cascade_of_opencv_4_gives_the_largest_box(monkeypatch):
    monkeypatch.setattr(celeba_builder.cv2, "CascadeClassifier", Cascade, raising=False)
    picture, points = celeba_builder.by_cascade(Faces())(photo(0))
    assert picture.shape == (160, 160, 3)
    np.testing.assert_array_equal(picture, photo(0)[60:220, 92:252])
    true = (face(0, 224)[1] * 224 + PLACE - (92, 60)) / 160
    inner = IBUG68_TO_INNER49
    assert np.linalg.norm(points - true, axis=-1)[inner].mean() < 0.06 * inter_ocular(true[inner], INNER49)


def test_an_opencv_without_a_cascade_is_said(root, tmp_path, monkeypatch):
    monkeypatch.delattr(celeba_builder.cv2, "CascadeClassifier", raising=False)
    with pytest.raises(ImportError, match=r"has no face cascade: pip install 'opencv-python-headless<5', or set"):
        opened(root, tmp_path / "cache", crops="cascade")


def test_any_folder_of_photos(tmp_path):
    for person in range(3):
        posed_sets.write(tmp_path / "album" / f"year {person % 2}" / f"{person}.jpg", photo(person))
    faces = opened(tmp_path / "album", tmp_path / "cache")
    assert faces.name == "photos: album"
    assert faces.counts == {"train": 1, "validation": 1, "test": 1}


def test_folders_and_lists_that_are_something_else(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*none; give the folder that holds img_align"):
        opened(tmp_path / "none", tmp_path / "cache")
    for name in "ab":
        posed_sets.write(tmp_path / "two" / f"{name}.jpg", photo(0))
    with pytest.raises(ValueError, match=r"two holds 2 photos \(.*\); at least 3 are needed, one for each split"):
        opened(tmp_path / "two", tmp_path / "cache")
    (tmp_path / "list.txt").write_text("000001.jpg 0\n000002.jpg five\n")
    with pytest.raises(ValueError, match=r"list.txt, line 2: expected a file's name and 0, 1 or 2, not '000002.jpg f"):
        partition(tmp_path / "list.txt")
    (tmp_path / "list.txt").write_text("image_id,partition\n000001.jpg,2\n")
    assert partition(tmp_path / "list.txt") == {"000001.jpg": "2"}
