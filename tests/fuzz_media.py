"""Small videos, animations and photos of the newer formats, as bytes, for the fuzz tests."""

import io

import numpy as np
import small_media
from PIL import Image, features

from lgan_jax.media import ffmpeg, source
from lgan_jax.media.sound import Sound

KINDS = (("mp4", "libx264"), ("mkv", "libx264"), ("mpg", "mpeg2video"), ("avi", "mpeg4"), ("webm", "libvpx"))
SOUNDS = {"mp4": "aac", "mkv": "flac", "mpg": "mp2", "avi": "libmp3lame", "webm": "libopus"}


def videos(folder):
    """Videos of 5 frames with sound, one in each container, and an animated GIF and PNG."""
    frames = [small_media.corner(60 + 30 * i) for i in range(5)]
    found = []
    for ending, codec in KINDS:
        path = folder / f"whole.{ending}"
        small_media.write(path, frames, codec, [SOUNDS[ending]], seconds=0.2)
        found.append(path.read_bytes())
    first, *rest = (Image.fromarray(frame) for frame in frames)
    for kind in ("GIF", "PNG"):
        file = io.BytesIO()
        first.save(file, format=kind, save_all=True, append_images=rest, duration=40)
        found.append(file.getvalue())
    return found


def photos():
    """AVIF where Pillow has it, and photos with an orientation tag."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    image = Image.fromarray(np.arange(24 * 16 * 4, dtype=np.uint8).reshape(24, 16, 4))
    kinds = ["JPEG", "PNG", "WEBP", *(["AVIF"] if features.check("avif") else [])]
    found = []
    for kind in kinds:
        file = io.BytesIO()
        (image.convert("RGB") if kind == "JPEG" else image).save(file, format=kind, exif=exif)
        found.append(file.getvalue())
    return found


def play(path):
    """Opens what lies at `path`, reads its frames, and copies its sound."""
    opened = source.open_source(path)
    if opened.kind != "video":
        return
    for _ in opened.frames():
        pass
    if not opened.video.animated:
        with ffmpeg.open_output(path.with_name("sound.mp4")) as container:
            sound = Sound(path, container, opened.video.begin * opened.video.time_base)
            container.add_stream("libx264", rate=25)  # a container without any stream cannot be written
            sound.until(None)
            sound.close()
