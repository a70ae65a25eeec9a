from typing import ClassVar

import numpy as np
import pytest
import small_videos

from lgan_jax.apps.shared import references
from lgan_jax.apps.shared.face_reader import Located
from lgan_jax.core import FaceInfo
from lgan_jax.faces.align import MEAN_FACE
from lgan_jax.landmarks import IBUG68

SIZE = 32
FACE = (0.5 + (MEAN_FACE - 0.5) * 0.86).astype(np.float32)
FRAMING = {"ada": FACE[None]}


class _Model:
    """Takes anybody in, and keeps what it was shown."""

    def __init__(self, names=("ada", "bo"), takes=True):
        self.info, self.takes, self.shown = FaceInfo(IBUG68, SIZE, names), takes, None

    def check_takes_people(self):
        if not self.takes:
            raise ValueError("renders its training identities only")

    def detect(self, images):
        raise NotImplementedError

    def with_person(self, name, images, landmarks):
        self.shown = images, landmarks
        return self


class _Reader:
    """Sees a face in every image that is not dark; of what is evenly gray the crop is blurred."""

    asked: ClassVar = []
    boxes = (1,)

    def __init__(self, model, framing, landmarks, faces, follow):
        self.asked.append((framing, landmarks, follow))

    def locate(self, image):
        if image.mean() < 30:
            return None
        crop = np.zeros((SIZE, SIZE, 3), np.uint8) + np.uint8(image.mean())
        crop[::2] //= 2 if np.ptp(image[..., 0]) > 40 else 1
        return Located(FACE + np.float32(image.mean() / 2550), np.eye(2, 3), crop)

    def points(self, faces):
        return np.stack([face.ibug68 for face in faces])

    def others(self, faces):
        """A bright image is of another person."""
        return sum(face.ibug68[0, 0] - FACE[0, 0] > 0.09 for face in faces)

    def reset(self):
        pass


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    monkeypatch.setattr(references, "FaceReader", _Reader)
    _Reader.asked.clear()


def _pictures(levels, sharp=True):
    for level in levels:
        picture = np.full((48, 52, 3), level, np.uint8)
        picture[:, :26] //= 1 + sharp
        yield picture


def _photos(folder, levels, sharp=True, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(_pictures(levels, sharp)):
        small_videos.write_photo(folder / f"{start + i}.png", picture)
    return folder


def test_usable_photos_are_shown_and_the_others_counted(tmp_path):
    folder = _photos(tmp_path / "dora", [100, 0, 160, 200, 0, 240])
    _photos(folder, [130], sharp=False, start=6)
    (folder / "7.png").write_bytes(b"no photo")
    model, person = references.add(_Model(), folder, None, FRAMING, "dlib")
    assert person.name == "dora"
    assert person.images.shape == (4, SIZE, SIZE, 3)
    assert (
        person.lines[0]
        == f"dora: 4 of 7 frames of {folder} are used; 2 show no face, 1 are blurred, 1 more cannot be read"
    )
    assert person.lines[1].startswith("WARNING: dora never moves")
    images, landmarks = model.shown
    np.testing.assert_allclose(images, person.images / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(landmarks, person.landmarks)
    assert _Reader.asked == [(FRAMING, "dlib", False)]


def test_a_long_clip_is_sampled_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr(references, "MOST", 4)
    clip = small_videos.write_video(tmp_path / "eve.mp4", list(_pictures(range(100, 244, 16))))
    _, person = references.add(_Model(), clip, None, FRAMING)
    assert person.name == "eve"
    assert person.lines[0] == f"eve: 3 of 3 frames of {clip} are used; 0 show no face, 0 are blurred"
    assert _Reader.asked[0][2]  # frames follow each other


def test_two_people_in_a_clip_are_warned_of(tmp_path, monkeypatch):
    monkeypatch.setattr(_Reader, "boxes", (1, 2))
    clip = small_videos.write_video(tmp_path / "eve.mp4", list(_pictures([100, 120, 140, 250, 254], sharp=False)))
    lines = references.add(_Model(), clip, None, FRAMING)[1].lines
    assert f"WARNING: {clip} shows 2 faces at once, and the largest is taken: cut it around one person" in lines
    assert f"WARNING: 2 of 5 frames of {clip} seem to show another person than the others" in lines


def test_the_one_person_of_a_folder_is_found(tmp_path):
    folder = _photos(tmp_path / "people" / "fay", [100, 120, 150]).parent
    assert references.add(_Model(), folder, None, FRAMING)[1].name == "fay"
    assert references.add(_Model(), folder, "new", FRAMING)[1].name == "new"
    _photos(folder / "gil", [100, 120])
    with pytest.raises(ValueError, match=r"more than one person \(fay, gil …\)"):
        references.add(_Model(), folder, None, FRAMING)


@pytest.mark.parametrize(
    ("model", "name", "levels", "said"),
    [
        (_Model(takes=False), None, [100, 120], "renders its training identities only"),
        (_Model(), "bo", [100, 120], "'bo' is taken"),
        (_Model(names=("p",)), None, [100, 120], "'p' is taken"),
        (_Model(), "all", [100, 120], "'all' is taken"),
        (_Model(), None, [0, 100, 0], r"1 of 3 frames can be used \(2 show no face, 0 are blurred\)"),
        (_Model(), None, [0, 0], r"0 of 2 frames can be used"),
        (_Model(), None, [], "holds no photos"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, model, name, levels, said):
    with pytest.raises(ValueError, match=said) as error:
        references.add(model, _photos(tmp_path / "p", levels), name, FRAMING)
    assert "\n" not in str(error.value)


def test_a_missing_reference_is_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        references.add(_Model(), tmp_path / "none.mp4", None, FRAMING)
