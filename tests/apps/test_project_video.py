"""A video as the landmarks: one photo driven frame by frame."""

import signal

import av
import numpy as np
import pytest
import small_projector
import small_videos
from small_projector import BY_FINDER, FRAMING, ONE, options, photo

from lgan_jax.apps.project import aligned, video
from lgan_jax.inversion import Diverged
from lgan_jax.methods.projection.projector import Projector


@pytest.fixture(scope="module")
def projector():
    return small_projector.built()


def test_a_video_drives_relative_to_its_neutral_frame(projector, tmp_path, monkeypatch):
    photo(tmp_path / "a.jpg", ONE)
    small_videos.write_video(tmp_path / "b.mp4", small_videos.moving(2, 3))
    asked = []

    def call(self, look, landmarks, progress, start=None, **given):
        asked.append(landmarks[0])
        return start or real(self, look, landmarks, **given)

    real = Projector.__call__
    monkeypatch.setattr(Projector, "__call__", call)
    said = []
    given = {"landmarks": tmp_path / "b.mp4", "frame_steps": 1, "relative": True, "neutral": "1"}
    assert video.run(options(tmp_path, **given), projector, BY_FINDER, said.append) == 0
    assert said[0] == "neutral frame of b.mp4: 1"
    own = aligned.read(tmp_path / "a.jpg", "", BY_FINDER).landmarks
    np.testing.assert_allclose(asked[1], own, atol=0.01)  # what follows a face starts where it was seen last
    again = options(tmp_path, out=tmp_path / "no", **{**given, "neutral": "7"})
    with pytest.raises(ValueError, match=r"--relative: there is no face in frame 7 of .*b\.mp4"):
        video.run(again, projector, BY_FINDER, said.append)
    assert not (tmp_path / "no").exists()


def test_a_video_drives_frame_by_frame(projector, tmp_path):
    """The frame without a face shows the image before; the one before the first face shows the first."""
    photo(tmp_path / "a.jpg", ONE)
    blank = small_videos.scene()
    small_videos.write_video(tmp_path / "b.mp4", [blank, *small_videos.moving(1, 2), blank])
    said = []
    given = options(tmp_path, landmarks=tmp_path / "b.mp4", frame_steps=1)
    assert video.run(given, projector, FRAMING, said.append) == 0
    assert said == [
        f"{tmp_path / 'out' / 'video.mp4'} is written; 2 of 4 frames reuse the previous result, having no face"
    ]
    with av.open(str(tmp_path / "out" / "video.mp4")) as container:
        made = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert len(made) == 4
    assert np.abs(made[1] - made[0]).mean() < 4
    assert np.abs(made[3] - made[2]).mean() < 4
    small_videos.write_video(tmp_path / "c.mp4", [blank] * 2)
    with pytest.raises(ValueError, match=r"c\.mp4: no frame shows a face whose landmarks are clear"):
        video.run(options(tmp_path, landmarks=tmp_path / "c.mp4", out=tmp_path / "none"), projector, FRAMING)
    assert not (tmp_path / "none").exists()


def frames_of(path):
    with av.open(str(path)) as container:
        return len(list(container.decode(video=0)))


def test_a_video_that_is_stopped_or_diverges_has_the_frames_before(projector, tmp_path, monkeypatch):
    """In the search for the third frame, that from the second's; the second has found what the first has."""
    photo(tmp_path / "a.jpg", ONE)
    small_videos.write_video(tmp_path / "b.mp4", small_videos.moving(1, 4))
    real, happening, reports, later = Projector.__call__, [], [], []

    def call(self, *pair, progress, start=None, **given):
        if start is None:
            later.clear()
            return real(self, *pair, progress=reports.append, **given)
        later.append(start)
        if len(later) == 2:
            happening[0](start)
            progress(reports[-1])
        return start

    def diverge(start):
        raise Diverged(np.array([0]), start)

    monkeypatch.setattr(Projector, "__call__", call)
    happening[:], said = [lambda _: signal.raise_signal(signal.SIGINT)], []
    given = {"landmarks": tmp_path / "b.mp4", "frame_steps": 1}
    assert video.run(options(tmp_path, **given), projector, FRAMING, said.append) == 130
    assert said[1] == "stopped: it has the first 2 frames and is whole"
    assert frames_of(tmp_path / "out" / "video.mp4") == 2
    happening[:] = [diverge]
    with pytest.raises(ValueError, match=r"b\.mp4, frame 2: the search diverged, .* has the frames before it$"):
        video.run(options(tmp_path, out=tmp_path / "more", **given), projector, FRAMING, said.append)
    assert frames_of(tmp_path / "more" / "video.mp4") == 2
