import _thread
import re
import resource
import time
from pathlib import Path

import av
import cv2
import jaxtyping
import numpy as np
import pytest
import small_videos

from lgan_jax import cli
from lgan_jax.apps.reenact import command, reenactment
from lgan_jax.apps.shared.face_reader import Located
from lgan_jax.core import FaceInfo
from lgan_jax.faces.align import MEAN_FACE
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.source import open_source

SIZE = 32
FACE = (0.5 + (MEAN_FACE - 0.5) * 0.86).astype(np.float32)
KNOWN = {name: np.stack([FACE, FACE + 0.1, FACE]) for name in ("ada", "bo", "cy")}


class _Model:
    """Faces as bright as the landmarks' first coordinate; "bo" is bluer."""

    info = FaceInfo(IBUG68, SIZE, ("ada", "bo", "cy"))
    constraint = 0.0
    in_closed_form = False

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def with_driver(self, landmarks):
        raise NotImplementedError

    def clamped(self, landmarks, target):
        raise NotImplementedError

    def convert(self, landmarks, target, constrain=True):
        return np.asarray(landmarks, np.float32)

    def synthesize(self, landmarks, target, convert=True, constrain=True):
        time.sleep(self.seconds)
        pictures = np.zeros((len(landmarks), SIZE, SIZE, 3), np.float32)
        pictures += (2 * landmarks[:, 0, 0] - 1)[:, None, None, None]
        pictures[..., 2] += 0.3 * (target == "bo")
        return pictures


class _Reader:
    """Sees a face in every image that is not dark; its first point's x is the brightness."""

    def locate(self, image):
        level = image.mean() / 255
        if level < 0.1:
            return None
        points = FACE.copy()
        points[0] = level
        transform = np.array([[SIZE / image.shape[1], 0, 0], [0, SIZE / image.shape[0], 0]])
        return Located(points, transform, cv2.resize(image, (SIZE, SIZE)))

    def points(self, faces):
        return np.stack([face.ibug68 for face in faces])

    def reset(self):
        pass


def _run(tmp_path: Path, driving: Path, out: str, target: str = "ada", model=None, **options) -> tuple[int, str]:
    said = []
    asked = reenactment.Options(
        workdir=tmp_path / "myrun", driving=driving, target=target, out=tmp_path / out, **options
    )
    targets = _Model.info.identities if target == "all" else (target,)
    source = open_source(driving)
    status = reenactment.run(asked, source, model or _Model(), _Reader(), KNOWN, targets, said.append)
    return status, "\n".join(said)


def _levels(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [round(f.to_ndarray(format="rgb24")[4:16, 4:16].mean()) for f in container.decode(video=0)]


def _shades(path: Path, levels: list[int], size: int = 48) -> Path:
    return small_videos.write_video(path, [np.full((size, size, 3), level, np.uint8) for level in levels])


def test_a_video_becomes_a_video_and_frames_without_a_face_are_counted(tmp_path):
    levels = [0, 0, 60, 100, 0, 140, 200, 0]
    status, said = _run(tmp_path, _shades(tmp_path / "in.mp4", levels), "out.mp4", steady=False)
    assert status == 0
    np.testing.assert_allclose(_levels(tmp_path / "out.mp4"), [60, 60, 60, 100, 100, 140, 200, 200], atol=6)
    assert "no face in 4 of 8 frames, which reuse another result: 0, 1, 4, 7" in said
    for stage in ("decode", "landmarks", "networks", "encode"):
        assert re.search(rf"{stage} +\d+\.\d s +\d+\.\d ms a frame", said)
    assert re.search(r"networks alone [\d.]+ frames/s · end to end [\d.]+ frames/s", said)
    assert b"trainedAlgorithmicMedia" in (tmp_path / "out.mp4").read_bytes()
    assert b"myrun" in (tmp_path / "out.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_steady_is_the_default_and_can_be_turned_off(tmp_path):
    driving = _shades(tmp_path / "in.mp4", [100, 106] * 15)
    _run(tmp_path, driving, "steady.mp4")
    _run(tmp_path, driving, "raw.mp4", steady=False)
    steady, raw = (np.std(_levels(tmp_path / name)[10:]) for name in ("steady.mp4", "raw.mp4"))
    assert steady < 0.7 * raw


def test_the_mark_is_on_videos_alone_and_can_be_turned_off(tmp_path):
    driving = _shades(tmp_path / "in.mp4", [120] * 3)

    def corner(path):
        if path.suffix:
            return next(open_source(path).frames()).image[-12:, -16:]
        return cv2.imread(str(path / "000000.png"))[-12:, -16:]

    for name, options, marked in (("a.mp4", {}, True), ("b.mp4", {"visible_mark": False}, False), ("c", {}, False)):
        _run(tmp_path, driving, name, **options)
        assert (np.ptp(corner(tmp_path / name).astype(int)) > 60) == marked


def test_grid_side_by_side_and_size(tmp_path):
    driving = _shades(tmp_path / "in.mp4", [120] * 3)
    _, said = _run(tmp_path, driving, "out", "all", side_by_side=True, size=64)
    picture = cv2.imread(str(tmp_path / "out" / "000002.png"))
    assert picture.shape == (128, 128, 3)
    assert picture[96, 32, 0] > picture[32, 96, 0] + 20  # bo, bluer, comes after the driving face and ada
    assert "grid, 2 in a row: driving, ada, bo, cy" in said


def test_paste_back_keeps_the_size(tmp_path):
    driving = _shades(tmp_path / "in.mp4", [120] * 3, size=80)
    _run(tmp_path, driving, "out.mp4", paste_back=True)
    assert next(open_source(tmp_path / "out.mp4").frames()).image.shape == (80, 80, 3)


def test_relative_starts_from_the_targets_neutral_face(tmp_path):
    driving = _shades(tmp_path / "in.mp4", [160, 160, 200, 160])
    _, said = _run(tmp_path, driving, "out.mp4", relative=True, neutral=0, steady=False)
    neutral = 255 * FACE[0, 0]
    np.testing.assert_allclose(_levels(tmp_path / "out.mp4"), neutral + np.array([0, 0, 40, 0]), atol=5)
    _, said = _run(tmp_path, driving, "out.mp4", relative=True, steady=False)
    assert re.search(r"neutral frame of in.mp4: [013]\b", said)
    for index, message in ((99, "frame 99"), (1, "frame 1")):
        dark = _shades(tmp_path / "dark.mp4", [0, 0, 90])
        with pytest.raises(ValueError, match=f"no face in {message} of"):
            _run(tmp_path, dark, "none.mp4", relative=True, neutral=index)


def test_photos_and_one_photo(tmp_path):
    for name, level in (("b", 90), ("a", 180), ("c", 0)):
        small_videos.write_photo(tmp_path / "in" / f"{name}.jpg", np.full((40, 44, 3), level, np.uint8))
    _, said = _run(tmp_path, tmp_path / "in", "out", steady=False)
    values = [cv2.imread(str(tmp_path / "out" / f"{name}.png"))[5, 5, 0] for name in "abc"]
    np.testing.assert_allclose(values, [180, 90, 90], atol=3)
    assert "reuse another result: c.jpg" in said
    _run(tmp_path, tmp_path / "in", "out.mp4", steady=False)
    np.testing.assert_allclose(_levels(tmp_path / "out.mp4"), [180, 90, 90], atol=6)
    _run(tmp_path, tmp_path / "in" / "b.jpg", "one.png")
    assert cv2.imread(str(tmp_path / "one.png")).shape == (SIZE, SIZE, 3)
    assert b"trainedAlgorithmicMedia" in (tmp_path / "one.png").read_bytes()


def test_without_any_face_nothing_is_left_and_an_earlier_file_stays(tmp_path):
    (tmp_path / "out.mp4").write_bytes(b"earlier")
    with pytest.raises(ValueError, match="no face in any of the 4 frames"):
        _run(tmp_path, _shades(tmp_path / "in.mp4", [0] * 4), "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"earlier"
    assert not list(tmp_path.glob(".*"))


def test_a_fault_in_the_middle_leaves_nothing_behind(tmp_path):
    class Broken(_Model):
        def synthesize(self, landmarks, target, convert=True, constrain=True):
            self.seconds += 1
            if self.seconds > 2:
                raise RuntimeError("out of memory")
            return super().synthesize(landmarks, target) if self.seconds == 0 else np.zeros((len(landmarks), 32, 32, 3))

    with pytest.raises(RuntimeError, match="out of memory"):
        _run(tmp_path, _shades(tmp_path / "in.mp4", [99] * 80), "out.mp4", model=Broken())
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_ctrl_c_closes_a_file_that_plays_and_keeps_an_earlier_one(tmp_path):
    driving = _shades(tmp_path / "in.mp4", [100] * 400)
    (tmp_path / "out.mp4").write_bytes(b"earlier")

    class Interrupted(_Model):
        """Ctrl-C is pressed while the third batch is generated."""

        left = 3 + 1  # with the one that compiles

        def synthesize(self, landmarks, target, convert=True, constrain=True):
            self.left -= 1
            if not self.left:
                _thread.interrupt_main()
            return super().synthesize(landmarks, target)

    for name in ("out-stopped.mp4", "new.mp4"):
        status, said = _run(tmp_path, driving, "out.mp4" if "out" in name else name, model=Interrupted(0.1))
        assert status == 130
        frames = len(_levels(tmp_path / name))
        assert 0 < frames < 300
        assert f"stopped: {tmp_path / name} holds the first {frames} frames" in said
    assert (tmp_path / "out.mp4").read_bytes() == b"earlier"
    assert not list(tmp_path.glob(".*"))


def test_memory_does_not_grow_with_a_videos_length(tmp_path, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the tests above do check the types of each call
    monkeypatch.setitem(globals(), "SIZE", 96)  # of every image, so that few frames would show
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        for i in range(2500):
            picture = np.full((96, 96, 3), 40 + i % 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    kept = []

    class Measuring(_Model):
        info = FaceInfo(IBUG68, 96, _Model.info.identities)

        def synthesize(self, landmarks, target, convert=True, constrain=True):
            kept.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())
            return super().synthesize(landmarks, target)

    status, _ = _run(tmp_path, path, "out.mp4", model=Measuring())
    assert status == 0
    assert open_source(tmp_path / "out.mp4").count == 2500
    assert len(kept) > 150
    quarter = len(kept) // 4
    growth = np.median(kept[-quarter:]) - np.median(kept[quarter : 2 * quarter])
    assert growth < 4e6  # the 1,250 frames between the two are 35 MB


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out", "o.mp4"], "required: --workdir, --driving"),
        (["--driving", "none.mp4"], "there is no file"),
        (["--out", "in.mp4"], "is the input itself"),
        (["--size", "33"], "--size must be even"),
        (["--neutral", "3"], "give both"),
        (["--neutral", "-3", "--relative"], "from 0 on"),
        (["--target", "all", "--paste-back"], "one --target"),
        (["--size", "64", "--paste-back"], "leave out --size"),
        (["--no-match-colours"], "--paste-back too"),
        (["--landmarks", "eyes"], "invalid choice"),
        (["--driving", "in.jpg", "--out", "o.png", "--relative"], "a video or a folder"),
        (["--frobnicate"], "--frobnicate"),
        ([], "there is no run"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    _shades(tmp_path / "in.mp4", [90] * 3)
    small_videos.write_photo(tmp_path / "in.jpg", np.full((40, 44, 3), 99, np.uint8))
    usual = [] if flags[:1] == ["--out"] and flags[1] == "o.mp4" else ["--workdir", "no", "--driving", "in.mp4"]
    usual += ["--target", "ada", "--out", "out.mp4"] if usual else []
    assert cli.run(lambda: command.main([*usual, *flags]), "reenact") == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("reenact: ")
    assert message in lines[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jpg", "in.mp4"]


def test_a_drivers_frames_are_sampled_where_conversion_is_in_closed_form(tmp_path):
    class Closed(_Model):
        in_closed_form = True
        known = None

        def with_driver(self, landmarks):
            Closed.known = landmarks
            return self

    levels = [60, 0, 100, 140]
    driving = _shades(tmp_path / "in.mp4", levels)
    _, said = _run(tmp_path, driving, "out.mp4", model=Closed())
    assert "the shape of the driver's face is known from 3 frames" in said
    np.testing.assert_allclose(255 * Closed.known[:, 0, 0], [60, 100, 140], atol=6)
    Closed.known = None
    _run(tmp_path, driving, "out.mp4", model=Closed(), relative=True, neutral=0)
    assert Closed.known is None


def test_how_many_frames_were_held_is_reported(tmp_path):
    class Held(_Model):
        constraint = 2.0

        def clamped(self, landmarks, target):
            return np.maximum(landmarks[:, 0, 0] - 0.5, 0)

    driving = _shades(tmp_path / "in.mp4", [60, 0, 100, 140, 200])
    _, said = _run(tmp_path, driving, "out", "all", model=Held(), steady=False)
    assert "landmarks of 2 of 4 frames were clamped to the range of bo's training frames" in said
    _, said = _run(tmp_path, driving, "out.mp4", model=Held(), constraint=False)
    assert "were clamped" not in said


def test_unknown_targets_and_runs_that_make_no_faces_are_named(monkeypatch):
    monkeypatch.setattr("lgan_jax.load", lambda _: _Model())
    with pytest.raises(ValueError, match="no LandmarkGAN run"):
        reenactment.load(Path("run"), "ada")
    monkeypatch.setattr(reenactment, "LandmarkGAN", _Model)
    with pytest.raises(ValueError, match="it has ada, bo, cy, or all"):
        reenactment.load(Path("run"), "dora")
    assert reenactment.load(Path("run"), "bo")[1] == ("bo",)
    assert reenactment.load(Path("run"), "all")[1] == ("ada", "bo", "cy")
