"""The frames of videos and animated images as a player shows them: the one place between decoder and screen.

Frames come upright (display matrix, mirrored too), with square pixels, in SDR colors, deinterlaced, all of one size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

from lgan_jax import image_limits
from lgan_jax.media import color, ffmpeg, files, photos

RATE = Fraction(25)  # frames a second of videos that do not say
EVERY = range(1 << 62)
_MILLISECOND = Fraction(1, 1000)
_SHORTEST, _USUAL = 20, 100  # ms: browsers show a frame of an animation that says less than the one for the other
_SAME_SHAPE = 0.02  # width over height may differ by this share, and nothing is padded
_ASPECTS = (Fraction(1, 8), Fraction(8))  # what width over height of a pixel can be; others are a damaged header's

Image = UInt8[np.ndarray, "H W 3"]


class Frame(NamedTuple):
    """One image of a source.

    Attributes:
      image: uint8 RGB `(H, W, 3)`, upright; None where a photo cannot be read.
      time: in ticks of the source's `time_base`; it grows from frame to frame. 0 is where the first track begins.
    """

    image: np.ndarray | None
    time: int


class Orientation(NamedTuple):
    """How a stored image is turned to be shown: rows and columns swapped, then columns reversed, then rows reversed."""

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    def shown(self, image: Image) -> UInt8[np.ndarray, "rows columns 3"]:
        """The image as a player shows it."""
        image = np.swapaxes(image, 0, 1) if self.transposed else image
        return np.ascontiguousarray(self._reversed(image))

    def stored(self, image: Image) -> UInt8[np.ndarray, "rows columns 3"]:
        """The image as it is stored; undoes `shown`."""
        image = self._reversed(image)
        return np.ascontiguousarray(np.swapaxes(image, 0, 1) if self.transposed else image)

    @property
    def matrix(self) -> list[int]:
        """The display matrix: 9 integers, 16.16 and 2.30 (ISO 14496-12)."""
        across, down = ((1 - 2 * negative) << 16 for negative in (self.mirrored, self.flipped))
        turn = [0, down, 0, across, 0, 0] if self.transposed else [across, 0, 0, 0, down, 0]
        return [*turn, 0, 0, 1 << 30]

    def _reversed(self, image: Image) -> Image:
        return image[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1]


UPRIGHT = Orientation()


def orientation_of(matrix: list[int]) -> Orientation:
    """The orientation nearest to a display matrix, which may turn by any angle."""
    a, b, _, c, d = matrix[:5]
    transposed = abs(b) + abs(c) > abs(a) + abs(d)
    return Orientation(transposed, (c if transposed else a) < 0, (b if transposed else d) < 0)


@dataclasses.dataclass(frozen=True)
class Video:
    """A video or an animated image.

    Attributes:
      path: the file.
      size: (width, height) of all frames as they are shown.
      count: frames that the file says it has, roughly; 0 where it does not say.
      rate: frames a second, on average.
      time_base: seconds in a tick.
      begin: the time in the file, in ticks, at which its first track begins.
      aspect: width over height of a stored pixel.
      orientation: of the stored frames; `frames` has undone it.
      animated: whether it is an animated image.
      notes: what a user should know, one line each; reading the frames may add to it.
    """

    path: Path
    size: tuple[int, int]
    count: int
    rate: Fraction = RATE
    time_base: Fraction = 1 / RATE
    begin: int = 0
    aspect: Fraction = Fraction(1)
    orientation: Orientation = UPRIGHT
    animated: bool = False
    notes: list[str] = dataclasses.field(default_factory=list)

    def frames(self, indices: range = EVERY) -> Iterator[Frame]:
        """The frames whose indices are in a range; damaged parts are passed over."""
        if self.animated:
            frames = enumerate(_animation(self.path, self.size))
            yield from (frame for index, frame in frames if index in indices)
            return
        step = max(round(1 / (self.rate * self.time_base)), 1)
        time = self.begin - step
        with ffmpeg.open_input(self.path) as container:
            stream = image_track(container)
            stream.thread_type = "AUTO"
            for index, frame in enumerate(deinterlaced(_decoded(container, stream))):
                if index >= indices.stop:
                    return
                time = self._time(frame, time + 1 if index else self.begin, time + step)
                if index in indices:
                    yield Frame(self._shown(frame, index), time - self.begin)

    def _time(self, frame: Any, least: int, nominal: int) -> int:
        if frame.pts is None:
            return nominal
        return max(round(frame.pts * frame.time_base / self.time_base), least)

    def _shown(self, frame: Any, index: int) -> Image:
        image = self.orientation.shown(color.rgb(frame, *_square(frame.width, frame.height, self.aspect)))
        if image.shape[1::-1] == self.size:
            return image
        if not any("changes" in note for note in self.notes):
            width, height = image.shape[1::-1]
            self.notes.append(
                f"the frame size changes to {width}×{height} at frame {index}; all frames are scaled to "
                f"{self.size[0]}×{self.size[1]}"
            )
        return _fitted(image, self.size)


def open_video(path: Path) -> Video:
    """Opens a video or an animated image, and decodes its first frame.

    Raises `ValueError`, one line that does not name the file, where there is none; `ModuleNotFoundError` without PyAV.
    """
    found = files.format_of(path)
    if found is not None and found.kind == "photo":
        return _open_animation(path)
    av = ffmpeg.pyav()
    try:
        with ffmpeg.open_input(path) as container:
            stream = image_track(container)
            first: Any = next(_decoded(container, stream), None)
            if first is None:
                raise ValueError("no frame of it can be decoded: the file is damaged or cut off")
            return _described(path, container, stream, first)
    except av.error.FFmpegError as error:
        known = found is not None and found.kind == "video"
        why = "it is cut off or damaged" if known else "it is neither a video nor a photo"
        raise ValueError(f"{why} ({ffmpeg.reason(error)})") from error


def _described(path: Path, container: Any, stream: Any, first: Any) -> Video:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    aspect = aspect if _ASPECTS[0] <= aspect <= _ASPECTS[1] else Fraction(1)
    orientation = _orientation(first)
    width, height = _square(first.width, first.height, aspect)
    image_limits.check_size(width, height)
    begin = Fraction(max(container.start_time or 0, 0), 1_000_000)
    return Video(
        path=path,
        size=(height, width) if orientation.transposed else (width, height),
        count=_length(container, stream),
        rate=stream.average_rate or stream.guessed_rate or RATE,
        time_base=stream.time_base,
        begin=int(begin / stream.time_base),
        aspect=aspect,
        orientation=orientation,
        notes=_notes(first, aspect, (width, height)),
    )


def _notes(frame: Any, aspect: Fraction, size: tuple[int, int]) -> list[str]:
    notes = []
    if color.hdr(frame):
        notes.append(f"HDR ({color.hdr(frame)}) is tone-mapped to SDR")
    if color.is_transparent(frame):
        notes.append(photos.TRANSPARENT)
    if frame.interlaced_frame:
        notes.append("interlaced frames are deinterlaced")
    if aspect != 1:
        notes.append(f"pixels of {aspect.numerator}:{aspect.denominator} become square ones, {size[0]}×{size[1]}")
    return notes


def image_track(container: Any) -> Any:
    """The video track that a player shows: not a cover image, and the best of several.

    Raises `ValueError` where there is none, or FFmpeg has no decoder for it.
    """
    av = ffmpeg.pyav()
    covers = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    tracks = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not tracks:
        more = " but a cover image" if container.streams.video else ""
        raise ValueError(f"it has no video track{more}")
    best = container.streams.best("video")
    track = best if best in tracks else tracks[0]
    if track.codec_context is None:
        raise ValueError("its frames are coded in a way that this build of FFmpeg cannot decode")
    image_limits.check_size(track.codec_context.width, track.codec_context.height)
    track.codec_context.options = {"max_pixels": str(image_limits.MOST_PIXELS)}  # later frames may be larger
    return track


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """The frames of a track of an open PyAV container; damaged parts are passed over."""
    packets = container.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except StopIteration:
            return
        except ffmpeg.damaged():
            continue


def deinterlaced(frames: Iterator[Any]) -> Iterator[Any]:
    """PyAV frames with interlaced ones woven into progressive ones, one for one (FFmpeg's filter `bwdif`)."""
    weaver = None
    for frame in frames:
        if weaver is not None and weaver.kind != _kind(frame):
            yield from weaver.rest()
            weaver = None
        if weaver is None and frame.interlaced_frame:
            weaver = _Weaver(frame)
        if weaver is None:
            yield frame
        else:
            yield from weaver.taken(frame)
    if weaver is not None:
        yield from weaver.rest()


class _Weaver:
    """A filter graph for frames of one kind; its output is a frame late."""

    def __init__(self, frame: Any) -> None:
        self.kind = _kind(frame)
        width, height, form, time_base, matrix, span = self.kind
        self._graph = ffmpeg.pyav().filter.Graph()
        about = {"video_size": f"{width}x{height}", "pix_fmt": form, "time_base": str(time_base), "pixel_aspect": "1/1"}
        buffer = self._graph.add("buffer", **about, colorspace=str(matrix), range=str(span))
        weave = self._graph.add("bwdif", mode="send_frame", deint="interlaced")
        self._graph.link_nodes(buffer, weave, self._graph.add("buffersink")).configure()

    def taken(self, frame: Any) -> Iterator[Any]:
        """The output for an input frame."""
        self._graph.vpush(frame)
        yield from self._ready()

    def rest(self) -> Iterator[Any]:
        """What is left at the end."""
        self._graph.vpush(None)
        yield from self._ready()

    def _ready(self) -> Iterator[Any]:
        av = ffmpeg.pyav()
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def _kind(frame: Any) -> tuple:
    return (
        frame.width,
        frame.height,
        frame.format.name,
        frame.time_base,
        int(frame.colorspace),
        int(frame.color_range),
    )


def _orientation(frame: Any) -> Orientation:
    kind = ffmpeg.pyav().sidedata.sidedata.Type.DISPLAYMATRIX
    data = frame.side_data.get(kind)
    return UPRIGHT if data is None else orientation_of(np.frombuffer(bytes(data), np.int32).tolist())


def _square(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """The size of a stored frame with square pixels; nothing gets smaller, and even sizes stay even."""
    if aspect == 1:
        return width, height
    return (_scaled(width, aspect), height) if aspect > 1 else (width, _scaled(height, 1 / aspect))


def _scaled(length: int, factor: Fraction) -> int:
    return round(length * factor) if length % 2 else 2 * round(length * factor / 2)


def _fitted(image: Image, size: tuple[int, int]) -> UInt8[np.ndarray, "rows columns 3"]:
    """An image at another size; black beside it where the shapes differ."""
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = max(round(width * scale), 1), max(round(height * scale), 1)
    if all(abs(have - want) <= _SAME_SHAPE * want for have, want in zip(inner, size)):
        inner = size
    scaled = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    if inner == size:
        return scaled
    result = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    result[top : top + inner[1], left : left + inner[0]] = scaled
    return result


def _length(container: Any, stream: Any) -> int:
    """How many frames the header says there are, or the length in time says; 0 where it says neither."""
    if stream.frames or not (container.duration and stream.average_rate):
        return stream.frames
    return int(container.duration * stream.average_rate / 1_000_000)


def _open_animation(path: Path) -> Video:
    try:
        with path.open("rb") as file, photos.opened(file) as image:
            image_limits.check_size(*image.size)
            count = getattr(image, "n_frames", 1)
            notes = (
                [photos.TRANSPARENT] if photos.composited(np.asarray(image.convert("RGBA"))).alpha is not None else []
            )
            seconds = _duration(image) * _MILLISECOND
            return Video(path, image.size, count, 1 / seconds, _MILLISECOND, animated=True, notes=notes)
    except Exception as error:  # see `photos.decode`
        raise ValueError(f"the animation is damaged ({error})") from error


def _animation(path: Path, size: tuple[int, int]) -> Iterator[Frame]:
    """The frames of an animated image, all of one size, up to where it is damaged."""
    with path.open("rb") as file, photos.opened(file) as image:
        time = 0
        for index in range(getattr(image, "n_frames", 1)):
            try:
                image.seek(index)
                image_limits.check_size(*image.size)  # a later frame may enlarge it
                frame = photos.composited(np.asarray(image.convert("RGBA"))).image
                duration = _duration(image)
            except Exception:  # see `photos.decode`
                return
            yield Frame(frame if image.size == size else _fitted(frame, size), time)
            time += duration


def _duration(image: Any) -> int:
    """Milliseconds that an animation's frame is shown."""
    duration = round(image.info.get("duration", _USUAL))
    return duration if duration >= _SHORTEST else _USUAL
