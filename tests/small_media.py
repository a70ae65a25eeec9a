"""Tiny videos with sound of any format, for tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

RATE = 48000


def corner(level: int = 90, width: int = 48, height: int = 32) -> np.ndarray:
    """A gray image with a bright upper left corner and a darker upper right one, so that a turned one shows."""
    image = np.full((height, width, 3), level, np.uint8)
    image[: height // 2, : width // 3] = 240
    image[: height // 2, 2 * width // 3 :] = 20
    return image


def write(
    path: Path,
    frames: Iterable[np.ndarray],
    codec: str = "libx264",
    sounds: Sequence[str] = (),
    form: str | None = None,
    late: float = 0.0,
    layout: str = "mono",
    seconds: float = 0.4,
    **settings,
) -> Path:
    """A video of RGB frames with sound tracks of a tone, each in one of the codecs `sounds`, `late` seconds later.

    `settings` are attributes of the video's codec context; `matrix` is a display matrix, `options` the encoder's.
    """
    import av

    matrix, options = settings.pop("matrix", None), settings.pop("options", {})
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        frames = iter(frames)
        first = next(frames)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = settings.pop("pix_fmt", "yuv420p")
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        tracks = [container.add_stream(name, rate=RATE, layout=layout) for name in sounds]
        for track, language in zip(tracks, ("fra", "deu", "jpn")):
            track.metadata["language"] = language
        for index, image in enumerate(itertools.chain([first], frames)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for track in tracks:
            for frame in tones(track, late, seconds):
                container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return path


def tones(track, late: float, seconds: float):
    """Frames of a tone of 1,000 Hz for a track of sound."""
    import av

    channels = track.codec_context.channels
    size = track.codec_context.frame_size or 1024
    resampler = av.AudioResampler(track.codec_context.format, track.codec_context.layout, RATE, frame_size=size)
    wave = (0.3 * np.sin(2 * np.pi * 1000 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(
        np.stack([wave] * channels), format="fltp", layout=track.codec_context.layout.name
    )
    frame.rate, frame.pts, frame.time_base = RATE, int(late * RATE), Fraction(1, RATE)
    yield from resampler.resample(frame)
    yield from resampler.resample(None)
