"""Built-in faces are faces to programs that nobody here wrote: dlib's detector and its 68 landmarks."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from lgan_jax.data.synthetic import Settings, draw, sample
from lgan_jax.landmarks import IBUG68, inter_ocular, to_ibug68
from lgan_jax.landmarks import scheme as named

dlib = pytest.importorskip("dlib", reason="dlib is not installed: pip install 'lgan_jax[faces]'")


@pytest.fixture(scope="module")
def predictor():
    models = importlib.util.find_spec("face_recognition_models")
    if models is None:
        pytest.skip("dlib's models are not installed: pip install 'lgan_jax[faces]'")
    return dlib.shape_predictor(str(Path(models.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"))


def agreement(predictor, settings, size, upsample, count):
    """(share of faces found, mean error in distances between the eyes) on images with at most 20 degrees of yaw."""
    detector = dlib.get_frontal_face_detector()
    indices = [i for i in range(3 * count) if abs(sample(settings, "train", i).yaw) <= 20][:count]
    errors = []
    for index in indices:
        drawn = draw(sample(settings, "train", index), size)
        boxes = detector(drawn["image"], upsample)
        if boxes:
            parts = predictor(drawn["image"], boxes[0]).parts()
            found = (np.array([(p.x, p.y) for p in parts]) + 0.5) / size
            ours = to_ibug68(drawn["landmarks"], named("wflw98"))
            errors.append(np.linalg.norm(found - ours, axis=-1).mean() / inter_ocular(ours, IBUG68))
    return len(errors) / len(indices), np.mean(errors)


@pytest.mark.parametrize(("size", "upsample", "count"), [(128, 1, 30), (256, 0, 15)])
@pytest.mark.parametrize("variation", ["video", "wild"])
def test_dlib_finds_the_faces_and_their_landmarks(predictor, variation, size, upsample, count):
    share, error = agreement(predictor, Settings(variation=variation), size, upsample, count)
    assert share >= 0.9
    assert error <= 0.08
