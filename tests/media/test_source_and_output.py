import re
import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import small_media
import small_videos
from PIL import Image

from lgan_jax.media import output
from lgan_jax.media.source import Source, open_source
from lgan_jax.media.video import Orientation

TICKS = Fraction(1, 12800)
TIMES = [0, 500, 1500, 1800, 4000, 4512, 7000]


def _shade(level: int, width: int = 48, height: int = 32) -> np.ndarray:
    """An image whose corners differ: the upper left is bright, so that a turned one shows."""
    image = np.full((height, width, 3), level, np.uint8)
    image[: height // 2, : width // 2] = 250
    return image


def _video(path: Path, sound: str = "", rotation: int = 0, rate: int = 44100) -> Path:
    """Frames at uneven times, with a second of a tone in the codec `sound`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.time_base = TICKS
        if rotation:
            stream.set_display_rotation(rotation)
        track = container.add_stream(sound, rate=rate, layout="mono") if sound else None
        for index, time in enumerate(TIMES):
            frame = av.VideoFrame.from_ndarray(_shade(20 * index), format="rgb24")
            frame.pts, frame.time_base = time, TICKS
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track:
            tone = np.sin(np.arange(rate) / 20)[None]
            form = track.codec_context.format.name
            tone = (20000 * tone).astype(np.int16) if form.startswith("s16") else tone.astype(np.float32) / 2
            frame = av.AudioFrame.from_ndarray(tone, format=form, layout="mono")
            frame.rate, frame.pts = rate, 0
            container.mux([*track.encode(frame), *track.encode(None)])
    return path


def _sound(path: Path) -> list[tuple]:
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [(float(p.pts * p.time_base), bytes(p)) for p in packets if p.dts is not None]


def _copied(source: Source, out: Path, complete: bool = True) -> Path:
    output.check(out, source)
    made = output.open_output(out, source, "run")
    for frame in source.frames():
        made.write(frame.image, frame.time)
    made.finish(complete)
    made.commit(out)
    return out


def test_uneven_times_size_and_images_are_kept(tmp_path):
    source = open_source(_video(tmp_path / "in.mp4"))
    assert (source.kind, source.count) == ("video", len(TIMES))
    with av.open(str(_copied(source, tmp_path / "out.mp4"))) as container:
        frames = list(container.decode(video=0))
    assert [frame.pts * frame.time_base for frame in frames] == [time * TICKS for time in TIMES]
    for index, frame in enumerate(frames):
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - _shade(20 * index)).mean() < 4


@pytest.fixture
def no_room():
    """No file can grow beyond 60 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["out.mp4", "out.png", "folder"])
def test_a_disk_without_room_is_a_line_that_names_the_file_and_nothing_is_left(tmp_path, no_room, name):
    (tmp_path / "in").mkdir()
    source = Source(tmp_path / "in", "folder", (), 400, Fraction(25), Fraction(1, 25))
    if name != "folder":
        (tmp_path / name).write_text("an earlier result")
    made, noise = output.open_output(tmp_path / name, source, "run"), np.random.default_rng(0)

    def write():
        for time in range(400):
            made.write(noise.integers(0, 256, (160, 240, 3), np.uint8), time)
        made.finish(complete=True)
        made.commit(tmp_path / name)

    with pytest.raises(OSError, match=re.escape(f"File too large: '{tmp_path / name}")):
        write()
    made.discard()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"in", name} - {"folder"})
    if name != "folder":
        assert (tmp_path / name).read_text() == "an earlier result"


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_rotation_is_undone_for_reading_and_kept_in_the_file(tmp_path, rotation):
    source = open_source(_video(tmp_path / "in.mp4", rotation=rotation))
    first = next(source.frames()).image
    np.testing.assert_array_equal(first > 128, np.rot90(_shade(0) > 128, rotation // 90))
    with av.open(str(_copied(source, tmp_path / "out.mp4"))) as container:
        frame = next(container.decode(video=0))
    assert abs(frame.rotation) == abs(rotation)
    assert (frame.width, frame.height) == (48, 32)
    np.testing.assert_array_equal(next(open_source(tmp_path / "out.mp4").frames()).image > 128, first > 128)


def test_a_mirroring_matrix_is_undone_for_reading_and_kept_in_the_file(tmp_path):
    path = tmp_path / "in.mp4"
    mirrored = [-(1 << 16), 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30]
    small_media.write(path, [_shade(60)] * 2, matrix=mirrored)
    source = open_source(path)
    first = next(source.frames()).image
    np.testing.assert_array_equal(first > 128, _shade(0)[:, ::-1] > 128)
    again = open_source(_copied(source, tmp_path / "out.mp4"))
    assert again.video.orientation == source.video.orientation != Orientation()
    np.testing.assert_array_equal(next(again.frames()).image > 128, first > 128)


def test_a_folder_of_folders_says_so(tmp_path):
    small_videos.write_photo(tmp_path / "in" / "day" / "1.jpg", _shade(80))
    with pytest.raises(ValueError, match="holds no photos itself, only in folders below"):
        open_source(tmp_path / "in")


def test_an_animated_image_drives_as_a_video(tmp_path):
    stills = [Image.fromarray(_shade(50 * i)) for i in range(3)]
    stills[0].save(tmp_path / "in.gif", save_all=True, append_images=stills[1:], duration=[100, 200, 100])
    source = open_source(tmp_path / "in.gif")
    assert (source.kind, source.count) == ("video", 3)
    with av.open(str(_copied(source, tmp_path / "out.mp4"))) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx([0, 0.1, 0.3])
    stills[0].save(tmp_path / "still.gif")
    assert open_source(tmp_path / "still.gif").kind == "image"


def test_transparent_parts_of_photos_are_said(tmp_path):
    image = np.dstack([_shade(80), np.full((32, 48), 255, np.uint8)])
    image[:9, :, 3] = 0
    (tmp_path / "in").mkdir()
    Image.fromarray(image).save(tmp_path / "in" / "a.png")
    source = open_source(tmp_path / "in")
    (frame,) = source.frames()
    assert (frame.image[:9] == 255).all()
    assert source.notes == ["transparent parts are shown on white"]


def _memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says how much memory is used")
def test_memory_does_not_grow_with_the_length(tmp_path):
    path, frames = tmp_path / "in.mp4", (_shade(i % 200, 320, 200) for i in range(300))
    small_media.write(path, frames, options={"preset": "ultrafast"}, sounds=["flac"], seconds=12.0)
    source, used = open_source(path), []
    made = output.open_output(tmp_path / "out.mp4", source, "run")
    for frame in source.frames():
        made.write(frame.image, frame.time)
        used.append(_memory())
    made.finish(True)
    made.discard()
    assert len(used) == 300
    assert used[-1] - used[100] < 15e6  # 200 frames are 38 MB


def test_sound_that_fits_is_copied_bit_by_bit(tmp_path):
    source = open_source(_video(tmp_path / "in.mp4", "aac"))
    sound = _sound(source.path)
    assert len(sound) > 30
    assert _sound(_copied(source, tmp_path / "out.mp4")) == sound


def test_sound_that_does_not_fit_is_encoded(tmp_path):
    source = open_source(_video(tmp_path / "in.mov", "pcm_mulaw", rate=22050))
    with av.open(str(_copied(source, tmp_path / "out.mp4"))) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "aac"
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(stream)])
    assert len(samples) == pytest.approx(22050, abs=2500)
    spectrum = np.abs(np.fft.rfft(samples[4000:14000]))
    assert spectrum.argmax() == pytest.approx(10000 / (2 * np.pi * 20), abs=2)


def test_sound_ends_with_the_images_where_the_job_was_stopped(tmp_path):
    source = open_source(_video(tmp_path / "in.mp4", "aac"))
    stopped = _sound(_copied(source, tmp_path / "out.mp4", complete=False))
    assert stopped[-1][0] == pytest.approx(float(TIMES[-1] * TICKS), abs=0.03)


def test_odd_sizes_are_kept(tmp_path):
    source = open_source(_video(tmp_path / "in.mp4"))
    made = output.open_output(tmp_path / "out.mp4", source, "run")
    for time in range(3):
        made.write(_shade(90, 47, 31), time)
    made.finish(True)
    made.commit(tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (47, 31)
        assert container.metadata["comment"] == container.metadata["description"]
        assert "run" in container.metadata["comment"]


def test_colours_come_back(tmp_path):
    source = open_source(_video(tmp_path / "in.mp4"))
    made = output.open_output(tmp_path / "out.mp4", source, "run")
    image = np.empty((32, 48, 3), np.uint8)
    image[:, :24], image[:, 24:] = (200, 60, 40), (30, 90, 190)
    made.write(image, 0)
    made.finish(True)
    made.commit(tmp_path / "out.mp4")
    back = next(open_source(tmp_path / "out.mp4").frames()).image
    np.testing.assert_allclose(back[16, [8, 40]].astype(int), image[16, [8, 40]], atol=5)


def test_photos_come_in_the_order_of_their_numbers_and_unreadable_ones_keep_their_place(tmp_path):
    folder = tmp_path / "in"
    for name, level in (("f10.jpg", 200), ("f9.jpg", 100)):
        small_videos.write_photo(folder / name, np.full((20, 24, 3), level, np.uint8))
    (folder / "f11.png").write_bytes(b"none")
    (folder / "notes.txt").write_text("none")
    source = open_source(folder)
    assert source.notes == ["not read, for they are no photos: notes.txt"]
    frames = list(source.frames())
    assert [frame.image is None for frame in frames] == [False, False, True]
    assert [round(frame.image.mean(), -1) for frame in frames[:2]] == [100, 200]
    assert [index for index, _ in source.some(range(1, 9))] == [1]


def test_some_frames_of_a_video(tmp_path):
    source = open_source(_video(tmp_path / "in.mp4"))
    some = list(source.some(range(1, 6, 2)))
    assert [index for index, _ in some] == [1, 3, 5]
    assert [round(image[-1, -1].mean(), -1) for _, image in some] == [20, 60, 100]
    assert list(source.some(range(99, 100))) == []


def test_png_files_are_named_like_the_photos(tmp_path):
    for name in ("b.jpg", "a.jpg"):
        small_videos.write_photo(tmp_path / "in" / name, np.full((20, 24, 3), 99, np.uint8))
    out = _copied(open_source(tmp_path / "in"), tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.png"]
    small_videos.write_photo(tmp_path / "in" / "a.png", np.full((20, 24, 3), 99, np.uint8))
    out = _copied(open_source(tmp_path / "in"), tmp_path / "two")
    assert sorted(path.name for path in out.iterdir()) == ["a.jpg.png", "a.png.png", "b.jpg.png"]


def test_a_video_that_is_cut_off_gives_what_it_has(tmp_path):
    path = tmp_path / "in.mkv"
    small_videos.write_video(path, [_shade(i) for i in range(60)])
    whole = len(list(open_source(path).frames()))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 0 < len(list(open_source(path).frames())) < whole == 60


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.mp4", None, "there is no file"),
        ("cut.mp4", "half", "cut off or damaged"),
        ("sound.mp4", "sound", "no video track"),
        ("a.txt", b"words", "neither a video nor a photo"),
        ("a.png", b"PK\x03\x04", "a.png is neither a video nor a photo that can be read: it is a ZIP archive"),
        ("b.png", b"\x89PNG\r\n\x1a\n", "b.png: the image is truncated"),
        ("folder", "empty", "holds no photos"),
    ],
)
def test_bad_input_is_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content == "half":
        whole = _video(tmp_path / "whole.mp4").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif content == "sound":
        small_videos.write_video(path, [], sound_only=True)
    elif content == "empty":
        path.mkdir()
    elif content:
        path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        open_source(path)
    assert "\n" not in str(caught.value)


def test_outputs_that_do_not_fit_are_refused(tmp_path):
    source = open_source(_video(tmp_path / "in.mp4"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    (tmp_path / "dir.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to(source.path)
    for name, error in {
        "in.mp4": ValueError,
        "link.mp4": ValueError,
        "out.gif": ValueError,
        "out.png": ValueError,
        "none/out.mp4": FileNotFoundError,
        "full": FileExistsError,
        "dir.mp4": FileExistsError,
    }.items():
        with pytest.raises(error, match="out"):
            output.check(tmp_path / name, source)
    with pytest.raises(OSError, match="cannot be written"):
        output.check(Path("/proc/out.mp4"), source)
    image = open_source(small_videos.write_photo(tmp_path / "a.jpg", _shade(80)))
    with pytest.raises(ValueError, match="comes one of"):
        output.check(tmp_path / "out.mp4", image)
    assert not list(tmp_path.glob(".*"))


def test_nothing_changes_until_commit(tmp_path):
    source = open_source(_video(tmp_path / "in.mp4"))
    for name in ("out.mp4", "out"):
        made = output.open_output(tmp_path / name, source, "run")
        made.write(_shade(9), 0)
        made.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_video_cannot_change_its_size(tmp_path):
    made = output.open_output(tmp_path / "out.mp4", open_source(_video(tmp_path / "in.mp4")), "run")
    made.write(_shade(9), 0)
    with pytest.raises(ValueError, match="size"):
        made.write(_shade(9, 64, 32), 1)
    made.discard()
