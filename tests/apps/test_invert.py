"""Inverting photos with a model that knows what was asked of it."""

import json

import numpy as np
import pytest
import small_videos
from PIL import Image
from refusals import refused

from lgan_jax.apps.invert import command, inversion
from lgan_jax.core import FaceInfo
from lgan_jax.data import training_landmarks
from lgan_jax.faces.align import TEMPLATE
from lgan_jax.landmarks import IBUG68_TO_INNER49, INNER49
from lgan_jax.media import provenance
from lgan_jax.media.ffmpeg import pyav
from lgan_jax.methods.began.model import Inverted
from lgan_jax.training.workdir import FORMAT

SIZE = 32


class Model:
    """z is the mean gray of an image, 64 times; made of it is an image of that gray."""

    info = FaceInfo(INNER49, SIZE, ("Ada",))

    def generate(self, z):
        return np.broadcast_to(np.asarray(z)[:, :1, None, None], (len(z), SIZE, SIZE, 3)).astype(np.float32)

    def landmarks(self, z):
        return (0.5 + 0.2 * np.asarray(z)[:, :1, None] * np.ones((1, 49, 2))).astype(np.float32)

    def invert(self, image):
        z = image.mean((1, 2, 3))[:, None] * np.ones((1, 64), np.float32)
        error = np.abs(image - self.generate(z)).mean((1, 2, 3))
        return Inverted(z, self.generate(z), self.landmarks(z), error, np.full(len(z), 5))


@pytest.fixture
def faces(tmp_path):
    """Two images of the run's size, a dark and a light one, as files."""
    shades = {"dark": 60, "light": 200}
    for name, shade in shades.items():
        image = np.full((SIZE, SIZE, 3), shade, np.uint8)
        image[:, : SIZE // 2] += 20
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    return tmp_path / "dark.png", tmp_path / "light.png"


def run(options):
    said = []
    inversion.run(options, Model(), inversion.framed(options, Model.info, said.append), said.append)
    return "\n".join(said)


def test_writes_what_was_found_of_each_photo(faces, tmp_path):
    out = tmp_path / "out"
    said = run(inversion.Options(workdir=tmp_path / "run", image=faces, out=out))
    assert "dark.png has the run's size: it is taken as it is" in said
    assert "light.png: error 3.92% after 5 updates" in said
    assert sorted(path.name for path in out.iterdir()) == [
        *("dark.json", "dark.png", "dark.pts", "inverted.png", "light.json", "light.png", "light.pts")
    ]
    found = json.loads((out / "dark.json").read_text())
    assert found["error"] == pytest.approx(10 / 255, rel=1e-4)
    assert len(found["z"]) == 64
    assert found["z"][0] == pytest.approx(70 / 127.5 - 1, abs=1e-5)
    assert np.shape(found["landmarks"]) == (49, 2)
    picture = Image.open(out / "dark.png")
    assert np.abs(np.asarray(picture).astype(int) - 70).max() <= 1
    for name in ("dark.png", "inverted.png"):
        assert provenance.SOURCE_TYPE in Image.open(out / name).text["XML:com.adobe.xmp"]
    assert found["source_type"] == provenance.SOURCE_TYPE
    first = (out / "dark.pts").read_text().splitlines()[3]
    assert float(first.split()[0]) == pytest.approx((0.5 + 0.2 * found["z"][0]) * SIZE + 0.5, abs=1e-3)


def test_transparent_parts_are_composited_and_said(tmp_path):
    image = np.full((SIZE, SIZE, 4), 90, np.uint8)
    image[:, :7, 3] = 0
    Image.fromarray(image).save(tmp_path / "cut.png")
    said = []
    (face,) = inversion.framed(
        inversion.Options(workdir=tmp_path, image=[tmp_path / "cut.png"]), Model.info, said.append
    )
    assert said[0] == "cut.png: transparent parts are shown on white"
    assert (face[:, :7] == 255).all()


def test_the_way_between_two_faces_as_a_sheet_and_a_video(faces, tmp_path):
    out = tmp_path / "out"
    run(inversion.Options(workdir=tmp_path / "run", interpolate=faces, steps=4, out=out))
    assert {"way.png", "way.mp4", "dark.json", "light.json"} <= {path.name for path in out.iterdir()}
    with pyav().open(str(out / "way.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3 * 6  # there and back
    assert frames[0].shape == (256, 512, 3)
    greys = [float(frame[20:60, 20:60].mean()) for frame in frames[::3]]
    np.testing.assert_allclose(greys, [70, 116.7, 163.3, 210, 163.3, 116.7], atol=4)
    assert provenance.XMP_BOX.bytes in (out / "way.mp4").read_bytes()


def test_the_way_to_the_mirror_image(faces, tmp_path):
    run(inversion.Options(workdir=tmp_path / "run", image=faces[:1], mirror=True, steps=3, out=tmp_path / "out"))
    assert (tmp_path / "out" / "way.mp4").is_file()
    assert not (tmp_path / "out" / "light.json").exists()
    sheet = np.asarray(Image.open(tmp_path / "out" / "way.png"))
    assert sheet.shape[1] > 5 * 192


def test_a_face_in_a_photo_is_framed_as_the_runs_pictures(tmp_path):
    pytest.importorskip("dlib", reason="needs the extra [faces]")
    (tmp_path / "run").mkdir()
    training_landmarks.write(tmp_path / "run", [TEMPLATE[None, IBUG68_TO_INNER49]])
    data = {"name": "x", "fingerprint": "ab", "scheme": "inner49", "size": SIZE, "identities": ["Ada"]}
    config = {"method": "began", "phases": ["began"]}
    record = {"format": FORMAT, "lgan_jax": "0.1.0", "config": config, "data": data}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    photo = small_videos.write_photo(tmp_path / "face.jpg", small_videos.scene((small_videos.face(1)[0], 60, 16)))
    (crop,) = inversion.framed(inversion.Options(workdir=tmp_path / "run", image=[photo]), Model.info, print)
    assert crop.shape == (SIZE, SIZE, 3)
    assert crop.std() > 20
    empty = small_videos.write_photo(tmp_path / "wall.jpg", np.full((90, 90, 3), 90, np.uint8))
    with pytest.raises(ValueError, match=r"--image .*wall\.jpg: there is no face"):
        inversion.framed(inversion.Options(workdir=tmp_path / "run", image=[photo, empty]), Model.info, print)


def _command(capsys, *arguments):
    return refused(command.main, capsys, *arguments)


def test_one_clear_line_for_what_is_wrong(faces, tmp_path, capsys, monkeypatch):
    dark, light = faces
    run = ("--workdir", tmp_path / "run", "--out", tmp_path / "out")
    assert "nothing is asked for" in _command(capsys, *run)
    assert "both name photos" in _command(capsys, *run, "--image", dark, "--interpolate", dark, light)
    assert "--mirror needs one --image" in _command(capsys, *run, "--image", dark, light, "--mirror")
    assert "--steps is 1" in _command(capsys, *run, "--interpolate", dark, light, "--steps", 1)
    assert "names of their own" in _command(capsys, *run, "--image", dark, dark)
    assert "no file or folder" in _command(capsys, *run, "--image", tmp_path / "none.png")
    assert "give one photo" in _command(capsys, *run, "--image", tmp_path)
    assert "there is no run in" in _command(capsys, *run, "--image", dark)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("dear")
    assert "is there already: choose a new or an empty folder" in _command(capsys, *run, "--image", dark)
    monkeypatch.setattr("lgan_jax.load", lambda folder: object())
    new = ("--workdir", tmp_path / "run", "--out", tmp_path / "new")
    assert "is no run of BEGAN with landmarks" in _command(capsys, *new, "--image", dark)
    assert not (tmp_path / "new").exists()
