import cv2
import numpy as np
import pytest
import small_videos

from lgan_jax.apps.shared.face_reader import FaceReader, Located, template
from lgan_jax.core import FaceInfo
from lgan_jax.faces import Faces
from lgan_jax.faces.align import MEAN_FACE
from lgan_jax.landmarks import IBUG68, INNER49, WFLW98, WFLW98_TO_IBUG68, inter_ocular
from lgan_jax.ops import procrustes

SIZE = 48
FACES = Faces()
FRAME = (0.2 + 0.6 * MEAN_FACE).astype(np.float32)


class _Model:
    """A detector that answers with the brightness of each crop."""

    def __init__(self, scheme):
        self.info = FaceInfo(scheme, SIZE, ("ada", "bo"))
        self.shapes, self.range = [], [1.0, -1.0]

    def detect(self, images):
        self.shapes.append(images.shape)
        self.range = [min(self.range[0], images.min()), max(self.range[1], images.max())]
        return np.broadcast_to(images.mean((1, 2, 3))[:, None, None], (len(images), self.info.scheme.count, 2))


def _known(shift=0.0):
    return {"ada": FRAME[None] - shift, "bo": np.stack([FRAME + shift] * 3)}


def _reader(scheme=IBUG68, **options):
    return FaceReader(_Model(scheme), _known(), faces=FACES, **options)


def test_points_lie_on_the_face_and_the_crop_in_the_runs_frame():
    face, truth = small_videos.face(1)
    seen = _reader().read(small_videos.scene((face, 60, 16)))
    back = procrustes.apply(procrustes.inverse(seen.transform), seen.landmarks.astype(np.float64) * SIZE)
    truth = truth * 224 + (60, 16)
    error = np.linalg.norm(back - truth, axis=-1)[IBUG68.inner] / inter_ocular(truth, IBUG68)
    assert error.mean() < 0.06
    np.testing.assert_allclose(seen.landmarks[IBUG68.inner].mean(0), FRAME[IBUG68.inner].mean(0), atol=1e-5)
    assert seen.crop.shape == (SIZE, SIZE, 3)
    whole = np.linalg.norm(seen.landmarks[IBUG68.inner] - FRAME[IBUG68.inner], axis=-1).mean()
    assert whole < 0.05  # right way up, not mirrored


def test_place_and_size_in_the_image_do_not_matter():
    face, _ = small_videos.face(2)
    one = _reader().read(small_videos.scene((face, 30, 10)))
    larger = cv2.resize(face, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    other = _reader().read(small_videos.scene((larger, 90, 40), width=480, height=400))
    assert np.abs(one.landmarks - other.landmarks).mean() < 0.008
    assert np.hypot(*one.transform[:, 0]) == pytest.approx(1.5 * np.hypot(*other.transform[:, 0]), rel=0.03)


def test_nothing_is_seen_where_there_is_no_face():
    assert _reader().read(small_videos.scene()) is None


def test_the_larger_face_is_taken_and_kept_until_reset():
    small = cv2.resize(small_videos.face(0)[0], (150, 150), interpolation=cv2.INTER_AREA)
    large = small_videos.face(3)[0]
    reader = _reader()

    def middle(*placed):
        seen = reader.read(small_videos.scene(*placed, width=520))
        return procrustes.apply(procrustes.inverse(seen.transform), np.array([[SIZE / 2, SIZE / 2]]))[0, 0]

    assert middle((large, 10, 10), (small, 300, 50)) < 240
    smaller = cv2.resize(large, (150, 150), interpolation=cv2.INTER_AREA)
    other = small_videos.face(0)[0]
    assert middle((smaller, 47, 47), (other, 280, 20)) < 240
    reader.reset()
    assert middle((smaller, 47, 47), (other, 280, 20)) > 280


def test_the_runs_detector_gets_aligned_crops_in_its_range():
    model = _Model(WFLW98)
    reader = FaceReader(model, _known98(), faces=FACES)
    located = [reader.locate(frame) for frame in small_videos.moving(1, 3)]
    points = reader.points(located)
    assert points.shape == (3, 98, 2)
    assert model.shapes == [(3, SIZE, SIZE, 3)]
    assert -1 <= model.range[0] < -0.5
    assert model.range[1] <= 1
    np.testing.assert_allclose(points[1, 0, 0], located[1].crop.mean() / 127.5 - 1, atol=1e-5)


def test_the_detector_can_be_chosen_where_dlib_would_do():
    reader = _reader(landmarks="detector")
    seen = reader.read(small_videos.moving(1, 1)[0])
    np.testing.assert_allclose(seen.landmarks, seen.crop.mean() / 127.5 - 1, atol=1e-5)


def test_inner49_is_part_of_dlibs_points():
    known = {"ada": np.stack([FRAME[[i for i in range(17, 68) if i not in (60, 64)]]] * 2)}
    inner = FaceReader(_Model(INNER49), known, faces=FACES).locate(small_videos.moving(1, 1)[0])
    reader = FaceReader(_Model(INNER49), known, faces=FACES)
    np.testing.assert_array_equal(reader.points([inner])[0][:43], inner.ibug68[17:60])


def test_dlib_cannot_give_98_points():
    with pytest.raises(ValueError, match="wflw98"):
        FaceReader(_Model(WFLW98), _known98(), "dlib", faces=FACES)


def test_template_counts_people_alike():
    points, among = template(_known(0.05), IBUG68)
    np.testing.assert_allclose(points, FRAME[17:], atol=1e-6)
    np.testing.assert_array_equal(among, np.arange(17, 68))


@pytest.mark.parametrize("known", [{}, {"ada": np.zeros((0, 68, 2))}, {"ada": np.zeros((4, 98, 2))}])
def test_template_needs_landmarks_of_the_scheme(known):
    with pytest.raises(ValueError, match="landmarks"):
        template(known, IBUG68)


def _known98():
    points = np.full((2, 98, 2), 0.5, np.float32)
    points[:, WFLW98_TO_IBUG68] = FRAME
    return {"ada": points}


def test_a_face_that_is_too_small_is_called_that():
    face = cv2.resize(small_videos.face(1)[0], (56, 56), interpolation=cv2.INTER_AREA)
    scene = small_videos.scene((face, 500, 300), width=1280, height=720)
    reader = _reader()
    assert reader.locate(scene) is None
    said = reader.missed(scene)
    assert said.startswith(" that is large enough, but a small one of about ")
    assert 20 < int(said.split(" pixels")[0].split()[-1]) < 60
    assert "in 1280×720" in said
    assert reader.missed(np.full((200, 300, 3), 90, np.uint8)) == ""


class _Describing(Faces):
    """Descriptors of two people 1.0 apart, by the brightness of a crop, with a little noise."""

    def descriptors(self, images, landmarks):
        return np.array([[image.mean() > 99, 0.01 * i, 1.0] for i, image in enumerate(images)], np.float32)


def test_frames_of_another_person_are_counted():
    reader = FaceReader(_Model(IBUG68), _known(), faces=_Describing())
    levels = (30, 200, 40, 50, 220)
    faces = [Located(FRAME, np.eye(2, 3), np.full((SIZE, SIZE, 3), level, np.uint8)) for level in levels]
    assert reader.others(faces) == 2
    assert reader.others(faces[1:2]) == 0
    assert reader.others([]) == 0
