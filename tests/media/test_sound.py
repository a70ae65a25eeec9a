"""Sound tracks taken over into other containers."""

from fractions import Fraction

import numpy as np
import pytest
from small_media import RATE, corner, write

from lgan_jax.media import ffmpeg
from lgan_jax.media.sound import Sound
from lgan_jax.media.video import open_video

av = pytest.importorskip("av", reason="needs the extra [faces]")


def taken_over(source, out):
    """The video `source` again at `out`, with its sound."""
    opened = open_video(source)
    with ffmpeg.open_output(out) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        sound = Sound(source, container, opened.begin * opened.time_base)
        for frame in opened.frames():
            picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
            picture.pts, picture.time_base = frame.time, opened.time_base
            container.mux(stream.encode(picture))
            sound.until(frame.time * opened.time_base)
        container.mux(stream.encode(None))
        sound.until(None)
        sound.close()
    return sound.notes


def heard(path, track=0):
    """Codec, layout, language, time of the first sample, and the samples of the first channel."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        pieces, first = [], None
        for frame in container.decode(stream):
            first = frame.time if first is None else first
            samples = frame.to_ndarray()[0, :: 1 if frame.format.is_planar else frame.layout.nb_channels]
            pieces.append(samples / (np.iinfo(samples.dtype).max if samples.dtype.kind == "i" else 1.0))
        context = stream.codec_context
        return context.name, context.layout.name, stream.language, first, np.concatenate(pieces)


@pytest.mark.parametrize("out", ["mp4", "mov"])
@pytest.mark.parametrize(
    ("codec", "container", "copied"),
    [
        ("pcm_s16le", "mkv", False),
        ("pcm_s24le", "mov", False),
        ("flac", "mkv", False),
        ("libopus", "webm", False),
        ("aac", "ts", True),
        ("libmp3lame", "mkv", True),
        ("ac3", "mkv", True),
    ],
)
def test_sound_is_whole_in_every_container(tmp_path, codec, container, copied, out):
    source = tmp_path / f"in.{container}"
    write(source, [corner()] * 10, "libvpx" if container == "webm" else "mpeg4", [codec])
    assert taken_over(source, tmp_path / f"out.{out}") == []
    name, _, language, first, samples = heard(tmp_path / f"out.{out}")
    copied = copied or (out == "mov" and codec.startswith("pcm"))
    assert (name == "aac") == (not copied or codec == "aac")
    assert language == "fra"
    assert abs(first) < 0.06
    assert len(samples) == pytest.approx(0.4 * RATE, abs=2600)
    middle = samples[6000:14000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() * RATE / len(middle) == pytest.approx(1000, abs=15)


def test_all_tracks_keep_their_order_and_languages(tmp_path):
    source = write(tmp_path / "in.mkv", [corner()] * 4, sounds=["aac", "flac", "ac3"])
    for name, german in (("out.mp4", "deu"), ("out.mov", "ger")):  # QuickTime has a list of its own
        taken_over(source, tmp_path / name)
        assert [heard(tmp_path / name, i)[2] for i in range(3)] == ["fra", german, "jpn"]


def test_surround_stays_surround(tmp_path):
    source = write(tmp_path / "in.mov", [corner()] * 4, "mpeg4", ["pcm_s16le"], layout="5.1")
    taken_over(source, tmp_path / "out.mp4")
    assert heard(tmp_path / "out.mp4")[:2] == ("aac", "5.1")


@pytest.mark.parametrize(("form", "late"), [("mkv", 0.3), ("mp4", 0.24), ("ts", 0.0)])
def test_the_distance_of_sound_and_image_stays(tmp_path, form, late):
    source, out = tmp_path / f"in.{form}", tmp_path / "out.mp4"
    write(source, [corner()] * 20, "mpeg4", ["aac"], late=late)
    taken_over(source, out)

    def begins(path):
        with av.open(str(path)) as container:
            return next(container.decode(video=0)).time

    before, after = (heard(path)[3] - begins(path) for path in (source, out))
    assert after == pytest.approx(before, abs=0.03)
    assert min(begins(out), heard(out)[3]) < 0.1


def test_a_track_that_cannot_be_decoded_is_left_out_and_said(tmp_path):
    source = write(tmp_path / "in.mkv", [corner()] * 4, "mpeg4", ["flac"])
    data = source.read_bytes()
    assert b"A_FLAC" in data
    source.write_bytes(data.replace(b"A_FLAC", b"A_XQZW"))
    notes = taken_over(source, tmp_path / "out.mp4")
    assert notes == ["sound track 1 is left out: this build of FFmpeg cannot decode it"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio
        assert Fraction(container.duration, 1_000_000) > 0
