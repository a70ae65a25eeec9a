import io

import numpy as np
import pytest
import small_editor
from PIL import Image

from lgan_jax.apps.edit import shapes, studio
from lgan_jax.apps.edit.protocol import Look
from lgan_jax.media import provenance


class Stub(small_editor.Stub):
    """Converted landmarks tell the person, images the person and the landmarks."""

    def convert(self, landmarks, target, constrain=True):
        return landmarks + 0.1 * np.array(target, np.float32)[:, None, None]

    def synthesize(self, landmarks, target, convert=True, constrain=True):
        assert not convert
        return self.gray(landmarks.mean((1, 2)) - 0.5 * np.array(target))


@pytest.fixture(scope="module")
def made():
    return studio.Studio.of(Stub(), "stub run", small_editor.known(each=4))


POINTS = np.full((98, 2), 0.2, np.float32)


def test_pictures_of_several_people(made):
    pictures, landmarks, _, seconds = made.make(POINTS, Look((2, 0)))
    np.testing.assert_allclose(landmarks[:, 7, 1], [0.4, 0.2], atol=1e-6)
    np.testing.assert_array_equal(pictures[:, 3, 5, 1], np.rint((np.array([0.4 - 1, 0.2]) + 1) * 127.5))
    assert 0 < seconds < 5
    assert (made.make(POINTS, Look((2,), convert=False)).landmarks == POINTS).all()


def test_a_blend_mixes_landmarks_and_pictures_but_no_networks(made):
    """a = 0.25 of person 2 in person 0: landmarks 0.2 + 0.25 · 0.2 = 0.25, images 0.75 · 0.25 + 0.25 · (0.25 - 1)."""
    blended = made.make(POINTS, Look((0,), True, 2, 0.25))
    np.testing.assert_allclose(blended.landmarks, 0.25, atol=1e-6)
    assert (blended.images == 127).all() or (blended.images == 128).all()
    whole = made.make(POINTS, Look((0,), True, 2, 1.0)).images
    np.testing.assert_array_equal(whole, made.make(POINTS, Look((2,))).images)


@pytest.mark.parametrize(
    ("look", "clamped"),
    [
        (Look((2, 0)), [0.25, 0.5]),
        (Look((2, 0), constrain=False), [0, 0]),
        (Look((2, 0), convert=False), [0, 0]),
        (Look((2, 0), True, 1, 0.5), [0.25, 0.5]),
    ],
)
def test_how_much_of_an_edit_is_clamped(made, look, clamped):
    np.testing.assert_array_equal(made.make(POINTS, look).clamped, np.array(clamped, np.float32))


def test_png_says_what_made_it(made):
    with Image.open(io.BytesIO(made.png(POINTS, Look((0, 1))))) as picture:
        assert picture.size == (64, 32)
        assert provenance.SOURCE_TYPE in picture.info["XML:com.adobe.xmp"]
        assert "stub run" in picture.info["XML:com.adobe.xmp"]


def test_a_sheet_has_a_row_for_landmarks_and_for_each_person(made):
    look, edits = Look((0, 1)), np.stack([shapes.resting(made.known)] * 10)
    with Image.open(io.BytesIO(made.grid(edits, look, lambda points: made.make(points, look).images))) as sheet:
        width, height = sheet.size
    one = 192 + 8
    assert width == 112 + 8 + 8 * one
    assert height - 6 * one in range(20, 60)


def test_steps_rest_at_edits_and_glide_between():
    edits = np.stack([POINTS, POINTS + 0.4, POINTS - 0.1])
    frames = np.stack(studio.steps(edits))
    assert len(frames) == 3 * 10 + 2 * 20
    for edit in edits:
        assert (frames == edit).all((1, 2)).sum() >= 10
    speed = np.abs(np.diff(frames[:, 0, 0]))
    assert speed.max() < 0.5 * 1.6 / 20
    assert speed[0] == 0


@pytest.mark.parametrize("marked", [True, False])
def test_a_video_says_what_made_it(marked):
    av = pytest.importorskip("av")
    made = studio.Studio.of(Stub(), "stub run", small_editor.known(each=4), marked)
    look, edits = Look((0, 1)), np.stack([POINTS, POINTS + 0.3])
    data = made.video(edits, lambda points: made.make(points, look).images)
    assert provenance.SOURCE_TYPE.encode() in data
    with av.open(io.BytesIO(data)) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert float(film.streams.video[0].average_rate) == 25
    assert len(frames) == 40
    assert frames[0].shape == (256, 512, 3)
    assert frames[-1].mean() > frames[0].mean() + 30
    corner = frames[0][236:254, 480:508].astype(float)
    assert (corner.std() > 10) == marked
