"""The sound tracks of one file, taken over into another as its images are written."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from lgan_jax.media import ffmpeg

# Codecs whose packets MP4 and QuickTime hold, and players of both play. FFmpeg's own list is longer than its muxers.
_COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_PCM = frozenset(f"pcm_{form}" for form in ("s16le", "s16be", "s24le", "s24be", "s32le", "f32le", "mulaw", "alaw"))
_CODEC = "aac"  # for all others
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # that it can have, and every player plays
_LAYOUTS = frozenset({"mono", "stereo", "5.1", "7.1"})  # that it can have; others become stereo
# QuickTime's own list of languages has some by other names (ISO 639-2/B in the place of /T).
_QUICKTIME = {"deu": "ger", "ell": "gre", "isl": "ice", "nld": "dut", "swe": "sve", "zho": "chi"}
_TOLD = ("language", "title", "handler_name")  # tags of a track that are taken over


class Sound:
    """Copies every sound track, packet by packet; one that does not fit into the container is encoded as AAC.

    MP4 holds compressed sound, QuickTime PCM too.

    Attributes:
      notes: tracks that could not be taken over, one line each.
    """

    def __init__(self, path: Path, output: Any, begin: Fraction = Fraction(0)) -> None:
        """From the file at `path` to a PyAV container that is being written, before its first packet.

        `begin` is the time in seconds of the file that becomes 0.
        """
        self._input = ffmpeg.open_input(path)
        self._output, self._begin = output, begin
        self.notes: list[str] = []
        self._tracks = {}
        for number, stream in enumerate(self._input.streams.audio, 1):
            if stream.codec_context is None:
                self.notes.append(f"sound track {number} is left out: this build of FFmpeg cannot decode it")
            else:
                self._tracks[stream.index] = self._track(stream)
        self._packets = self._demuxed()
        self._next: Any = next(self._packets, None)

    def until(self, time: Fraction | None) -> None:
        """Writes what begins up to `time`, in seconds; None is all of it, and ends the tracks."""
        while self._next is not None and (time is None or self._next.dts * self._next.time_base <= time):
            self._output.mux(self._tracks[self._next.stream.index].taken(self._next))
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Ends the tracks."""
        for track in self._tracks.values():
            self._output.mux(track.end())
        self._input.close()

    def _track(self, stream: Any) -> _Copied | _Encoded:
        copied = _COPIED | _PCM if self._output.format.name == "mov" else _COPIED
        fits = stream.codec_context.codec.canonical_name in copied and stream.codec_context.sample_rate > 0
        track = (_Copied if fits else _Encoded)(stream, self._output)
        for name in _TOLD:
            if value := stream.metadata.get(name):
                named = _QUICKTIME.get(value, value) if self._output.format.name == "mov" else value
                track.stream.metadata[name] = named
        return track

    def _demuxed(self) -> Iterator[Any]:
        """The packets in the order of their time, which begins at `begin`."""
        if not self._tracks:
            return
        tracks = [self._input.streams[index] for index in self._tracks]
        packets, last = self._input.demux(*tracks), {}
        while True:
            try:
                packet = next(packets)
            except (StopIteration, *ffmpeg.damaged()):  # the end, or where the file is cut off
                return
            before = last.get(packet.stream.index)
            if packet.dts is not None and (before is None or packet.dts > before):  # a damaged file may step back
                last[packet.stream.index] = packet.dts
                shift = round(self._begin / packet.time_base)
                packet.pts, packet.dts = None if packet.pts is None else packet.pts - shift, packet.dts - shift
                yield packet


class _Copied:
    """A track whose packets are taken as they are."""

    def __init__(self, stream: Any, output: Any) -> None:
        self.stream = output.add_stream_from_template(stream)

    def taken(self, packet: Any) -> list[Any]:
        packet.stream = self.stream
        return [packet]

    def end(self) -> list[Any]:
        return []


class _Encoded:
    """A track that is decoded and encoded again."""

    def __init__(self, stream: Any, output: Any) -> None:
        context = stream.codec_context
        rate = context.sample_rate if context.sample_rate in _RATES else _RATES[-1]
        layout = "mono" if context.channels == 1 else context.layout.name
        layout = layout if layout in _LAYOUTS else "stereo"
        self.stream = output.add_stream(_CODEC, rate=rate, layout=layout)
        self._resampler = ffmpeg.pyav().AudioResampler("fltp", layout, rate)

    def taken(self, packet: Any) -> list[Any]:
        try:
            frames = packet.decode()
        except ffmpeg.damaged():
            return []
        resampled = [each for frame in frames for each in self._resampler.resample(frame)]
        return [coded for frame in resampled for coded in self.stream.encode(frame)]

    def end(self) -> list[Any]:
        rest = [coded for frame in self._resampler.resample(None) for coded in self.stream.encode(frame)]
        return [*rest, *self.stream.encode(None)]
