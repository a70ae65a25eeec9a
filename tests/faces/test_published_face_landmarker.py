"""Agreement with the published runtime. Needs its bundle, which `LGAN_JAX_FACE_LANDMARKER` names, and fixtures.

The fixtures lie beside it in `face_landmarker_fixtures/`: `landmarks.npz` (image, points, presence) and
`blendshapes.npz` (landmarks, scores), from the test data of the public repository google-ai-edge/mediapipe.
"""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import untrusted
from lgan_jax.faces import face_landmarker
from lgan_jax.faces.face_landmarker import networks
from lgan_jax.faces.face_landmarker.bundle import VARIABLE

BUNDLE = Path(os.environ.get(VARIABLE) or "missing")
FIXTURES = BUNDLE.parent / "face_landmarker_fixtures"
pytestmark = pytest.mark.skipif(
    not (BUNDLE.is_file() and FIXTURES.is_dir()),
    reason=f"{VARIABLE} names no bundle with fixtures beside it: see docs/face_landmarker.md",
)


@pytest.fixture(scope="module")
def landmarker():
    return face_landmarker.load()


def test_landmarks_agree_and_have_gradients(landmarker):
    fixture = untrusted.read_npz(FIXTURES / "landmarks.npz")
    crops = jnp.asarray(fixture["image"])[None] * 2 - 1
    weights = landmarker.weights

    def points(crops):
        found = networks.mesh(landmarker.bundle, weights, crops)
        return found.points.sum(), found

    gradient, found = jax.jit(jax.grad(points, has_aux=True))(crops)
    error = np.abs(found.points[0] * networks.CROP - fixture["points"])
    assert error.mean() < 0.3
    assert np.linalg.norm(error[:, :2], axis=-1).max() < 1.5
    assert float(found.presence[0]) == pytest.approx(float(jax.nn.sigmoid(fixture["presence"][0])), abs=1e-2)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_blendshapes_agree(landmarker):
    fixture = untrusted.read_npz(FIXTURES / "blendshapes.npz")
    scores = landmarker.scores(fixture["landmarks"][None, :, :2], np.array([[820, 1024]]))
    np.testing.assert_allclose(scores[0], fixture["scores"], atol=1e-4)


def test_finds_the_fixtures_face_in_a_larger_image(landmarker):
    fixture = untrusted.read_npz(FIXTURES / "landmarks.npz")
    face = (fixture["image"] * 255).round().astype(np.uint8)
    image = np.full((400, 700, 3), 120, np.uint8)
    image[90 : 90 + 256, 300 : 300 + 256] = face
    found = landmarker.landmarks(image, face_landmarker.MESH) * (700, 400) - (300, 90)
    assert np.linalg.norm(found - fixture["points"][:, :2], axis=-1).mean() < 5
