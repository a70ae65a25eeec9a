"""Frames of videos and animations as a player shows them."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from small_media import corner, write

from lgan_jax.media import color, ffmpeg, video
from lgan_jax.media.video import Orientation, open_video

av = pytest.importorskip("av", reason="needs the extra [faces]")

ONE = 1 << 16
TURNS = {
    "mirrored": [-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30],
    "flipped": [ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30],
    "half": [-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30],
    "quarter": [0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30],
    "transposed": [0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30],
}


def frames(path):
    return [frame.image for frame in open_video(path).frames()]


def moved(image, matrix):
    """What a display matrix makes of an image, point by point: (x, y) goes to (a x + c y, b x + d y)."""
    a, b, _, c, d = (value / ONE for value in matrix[:5])
    rows, columns = np.indices(image.shape[:2])
    x, y = (a * columns + c * rows).astype(int), (b * columns + d * rows).astype(int)
    result = np.zeros((np.ptp(y) + 1, np.ptp(x) + 1, 3), np.uint8)
    result[y - y.min(), x - x.min()] = image
    return result


@pytest.mark.parametrize("turn", TURNS)
def test_the_whole_display_matrix_is_undone_for_reading(tmp_path, turn):
    path = write(tmp_path / "a.mp4", [corner()] * 2, matrix=TURNS[turn])
    opened = open_video(path)
    image = next(opened.frames()).image
    wanted = moved(corner(), TURNS[turn])
    assert (image.shape, opened.size) == (wanted.shape, wanted.shape[1::-1])
    assert np.abs(image.astype(int) - wanted).mean() < 6
    np.testing.assert_array_equal(opened.orientation.stored(wanted), corner())
    assert [np.sign(value) for value in opened.orientation.matrix] == [np.sign(value) for value in TURNS[turn]]


def test_a_crooked_matrix_is_the_nearest_right_angle():
    assert video.orientation_of([900, -65000, 0, 65000, 900, 0, 0, 0, 1 << 30]) == Orientation(True, False, True)
    assert video.orientation_of([65000, 900, 0, -900, 65000, 0, 0, 0, 1 << 30]) == Orientation()


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(4, 3), (64, 32)), (Fraction(1, 2), (48, 64)), (None, (48, 32))])
def test_pixels_become_square(tmp_path, aspect, size):
    path = write(tmp_path / "a.mp4", [corner()] * 2, **({"sample_aspect_ratio": aspect} if aspect else {}))
    opened = open_video(path)
    assert opened.size == size
    assert [image.shape for image in frames(path)] == [(size[1], size[0], 3)] * 2
    assert bool(opened.notes) == bool(aspect)


def test_a_cover_image_is_not_the_video(tmp_path):
    plain, covered = write(tmp_path / "a.mp4", [corner(60)] * 3, sounds=["aac"]), tmp_path / "b.mp4"
    alone = tmp_path / "c.mp4"
    for out, kinds in ((covered, ("cover", "video")), (alone, ("cover", "audio"))):
        with av.open(str(plain)) as source, av.open(str(out), "w") as target:
            cover = target.add_stream("mjpeg", rate=25)
            cover.width, cover.height, cover.pix_fmt = 96, 80, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
            kept = source.streams.get(**{kinds[1]: 0})[0]
            copied = target.add_stream_from_template(kept)
            target.mux(cover.encode(av.VideoFrame.from_ndarray(corner(200, 96, 80), format="rgb24")))
            target.mux(cover.encode(None))
            for packet in source.demux(kept):
                if packet.dts is not None:
                    packet.stream = copied
                    target.mux(packet)
    assert [image.shape for image in frames(covered)] == [(32, 48, 3)] * 3
    with pytest.raises(ValueError, match="no video track but a cover image"):
        open_video(alone)


def test_frames_of_another_size_are_scaled_to_the_first(tmp_path):
    pieces = [
        write(tmp_path / f"{w}.webm", [corner(90, w, h)] * 3, "libvpx") for w, h in ((48, 32), (24, 16), (32, 32))
    ]
    path = tmp_path / "all.webm"
    with av.open(str(path), "w") as target:
        stream, time = None, 0
        for piece in pieces:
            with av.open(str(piece)) as source:
                stream = stream or target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(source.streams.video[0]):
                    if packet.dts is not None:
                        packet.stream, packet.time_base = stream, Fraction(1, 1000)
                        packet.pts = packet.dts = time
                        time += 40
                        target.mux(packet)
    opened = open_video(path)
    images = [frame.image for frame in opened.frames()]
    assert [image.shape for image in images] == [(32, 48, 3)] * 9
    assert np.abs(images[4].astype(int) - images[0]).mean() < 12
    assert images[7][:, :7].max() < 20  # what is narrower has black beside it
    assert [note for note in opened.notes if "24×16 at frame 3; all frames are scaled to 48×32" in note]


def test_interlaced_frames_are_woven(tmp_path):
    fields = [np.full((64, 64, 3), 40, np.uint8) for _ in range(12)]
    for i, field in enumerate(fields):
        field[:, 2 * i : 2 * i + 20] = 220
    woven = []
    for top, bottom in zip(fields[::2], fields[1::2]):
        woven.append(top.copy())
        woven[-1][1::2] = bottom[1::2]
    path = tmp_path / "a.mpg"
    write(path, woven, "mpeg2video", form="mpeg", options={"flags": "+ilme+ildct", "top": "1", "b": "2000000"})
    opened = open_video(path)
    got = list(opened.frames())
    assert len(got) == len(woven)
    assert np.diff([frame.time for frame in got]).min() > 0
    assert "interlaced frames are deinterlaced" in opened.notes

    def comb(image):
        rows = image.astype(float)
        return np.abs(rows[1:-1:2] - (rows[:-2:2] + rows[2::2]) / 2).mean()

    assert comb(got[3].image) < 0.4 * comb(woven[3])


@pytest.mark.parametrize(("height", "matrix"), [(32, "itu601"), (720, "itu709")])
def test_videos_that_do_not_say_their_matrix_are_taken_as_players_take_them(height, matrix):
    image = np.full((height, 64, 3), (200, 40, 60), np.uint8)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p", dst_colorspace=matrix)
    bare = av.VideoFrame(64, height, "yuv420p")
    for plane, other in zip(bare.planes, frame.planes):
        plane.update(bytes(other))
    assert np.abs(color.rgb(bare, 64, height).astype(int) - image).max() < 6


@pytest.mark.parametrize(("alpha", "wanted"), [(255, 90), (0, 90), (51, 222)])
def test_alpha_of_a_video(alpha, wanted):
    image = np.dstack([corner(), np.full((32, 48), alpha, np.uint8)])
    image[:16, :16, 3] = min(alpha, 60)
    frame = av.VideoFrame.from_ndarray(image, format="rgba")
    assert color.is_transparent(frame) == (alpha > 0)
    shown = color.rgb(frame, 48, 32)
    np.testing.assert_allclose(shown[30, 3], wanted, atol=1)
    assert shown[3, 3, 0] == (240 if alpha == 0 else pytest.approx(252, abs=1))


def bt2100(image, curve):
    """sRGB bytes as HDR: SDR's white at 203 cd/m², coded 16-bit RGB in BT.2020."""
    linear = np.where(image <= 10, image / 255 / 12.92, ((image / 255 + 0.055) / 1.055) ** 2.4)
    wide = linear @ np.linalg.inv(color.TO_BT709.astype(float)).T * 203
    if curve == color.PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = (wide / 10000) ** m1
        coded = ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    else:
        luminance = wide @ [0.2627, 0.6780, 0.0593] / 1000
        scene = wide / 1000 * np.maximum(luminance, 1e-6)[..., None] ** (1 / 1.2 - 1)
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        coded = np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)
    return np.round(65535 * np.clip(coded, 0, 1)).astype(np.uint16)


@pytest.mark.parametrize("curve", [color.PQ, color.HLG])
def test_hdr_looks_as_the_same_scene_in_sdr(curve):
    levels = np.linspace(0, 220, 45, dtype=np.uint8)
    gray = np.repeat(levels[None, :, None], 3, -1)
    colors = np.array([[[200, 60, 40], [30, 90, 190], [120, 180, 60]]], np.uint8)
    for image in (gray, colors):
        shown = color.to_sdr(bt2100(image.astype(float), curve), curve)
        assert np.abs(shown.astype(int) - image).max() <= 5
    bright = color.to_sdr(np.full((2, 3, 3), 65535, np.uint16), curve)
    assert bright.min() == 255
    ramp = color.to_sdr(np.linspace(0, 65535, 200).astype(np.uint16)[None, :, None].repeat(3, -1), curve)
    assert (np.diff(ramp[0, :, 0].astype(int)) >= 0).all()


def test_hdr_is_said_and_mapped(tmp_path):
    settings = {"color_primaries": 9, "color_trc": color.HLG, "colorspace": 9, "color_range": 1}
    path = tmp_path / "a.mp4"
    write(path, [corner()] * 2, pix_fmt="yuv420p10le", **settings)
    opened = open_video(path)
    assert opened.notes == ["HDR (HLG) is tone-mapped to SDR"]
    assert next(opened.frames()).image.dtype == np.uint8


def test_odd_names_are_no_protocols(tmp_path):
    for name in ("12:30.mp4", "http:a.mp4", "concat:b.mp4", "%03d.mp4", "naïve é.mp4", " -i.mp4"):
        path = write(tmp_path / "in.mp4", [corner()] * 2).rename(tmp_path / name)
        assert len(frames(path)) == 2
        with ffmpeg.open_output(tmp_path / f"out:{name}") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(corner(), format="rgb24")))
            container.mux(stream.encode(None))
        assert (tmp_path / f"out:{name}").stat().st_size > 100


def test_a_playlist_opens_no_other_file(tmp_path):
    secret = write(tmp_path / "secret.mp4", [corner()] * 2)
    (tmp_path / "a.mp4").write_text(f"ffconcat version 1.0\nfile {secret.name}\n")
    (tmp_path / "b.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\n{secret.name}\n#EXT-X-ENDLIST\n")
    for name in ("a.mp4", "b.mp4"):
        with pytest.raises(ValueError, match=r"cut off or damaged|neither"):
            open_video(tmp_path / name)


def test_tags_that_are_no_utf_8_are_read(tmp_path):
    path = write(tmp_path / "a.mkv", [corner()] * 2, sounds=["aac"])
    data = path.read_bytes()
    assert data.count(b"Lavf") > 1
    path.write_bytes(data.replace(b"Lavf", b"L\xe4vf"))  # Latin-1
    assert len(frames(path)) == 2


def test_a_codec_that_this_build_lacks_is_one_line(tmp_path):
    path = write(tmp_path / "a.avi", [corner()] * 2, "mpeg4")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"XQ0Z"))
    with pytest.raises(ValueError, match="cannot decode") as caught:
        open_video(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_animations_are_videos(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    pictures = [Image.fromarray(corner(30 * i)) for i in range(4)]
    more = {"lossless": True} if kind == "webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 50, 200, 40], **more)
    opened = open_video(path)
    got = list(opened.frames())
    assert (opened.count, opened.size, [frame.time for frame in got]) == (4, (48, 32), [0, 100, 150, 350])
    for index, frame in enumerate(got):
        assert np.abs(frame.image[-1, -1].astype(int) - 30 * index).max() < 8
    assert [frame.time for frame in opened.frames(range(1, 4, 2))] == [100, 350]


def test_what_is_transparent_in_an_animation_is_white(tmp_path):
    image = np.dstack([corner(), np.full((32, 48), 255, np.uint8)])
    image[16:, :16, 3] = 0
    pictures = [Image.fromarray(image), Image.fromarray(image[:, ::-1].copy())]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:], lossless=True, exact=True)
    opened = open_video(tmp_path / "a.webp")
    assert next(opened.frames()).image[30, 3].tolist() == [255, 255, 255]
    assert opened.notes == ["transparent parts are shown on white"]


def test_reading_begins_where_the_file_begins(tmp_path):
    path = write(tmp_path / "a.ts", [corner()] * 4, sounds=["aac"], form="mpegts")
    opened = open_video(path)
    assert opened.begin > 0
    assert next(opened.frames()).time * opened.time_base < 0.1
