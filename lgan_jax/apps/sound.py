"""The sound tracks of one file, taken over into another as its pictures are written."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from lgan_jax.data.prepare.sources import pyav

_CODEC = "aac"  # for tracks that the output's container cannot hold as they are
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # that it can have, and every player plays


class Sound:
    """Copies every sound track, packet by packet; one that does not fit into the container is encoded as AAC."""

    def __init__(self, path: Path, output: Any) -> None:
        """From the file at `path` to a PyAV container that is being written, before its first packet."""
        self._input = pyav().open(str(path))
        self._output = output
        self._tracks = {stream.index: self._track(stream) for stream in self._input.streams.audio}
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
        fits = stream.codec_context.codec.canonical_name in self._output.supported_codecs
        return _Copied(stream, self._output) if fits else _Encoded(stream, self._output)

    def _demuxed(self) -> Iterator[Any]:
        if not self._tracks:
            return
        packets, last = self._input.demux(*self._input.streams.audio), {}
        while True:
            try:
                packet = next(packets)
            except (StopIteration, pyav().error.InvalidDataError):  # the end, or where the file is cut off
                return
            before = last.get(packet.stream.index)
            if packet.dts is not None and (before is None or packet.dts > before):  # a damaged file may step back
                last[packet.stream.index] = packet.dts
                yield packet


class _Copied:
    """A track whose packets are taken as they are."""

    def __init__(self, stream: Any, output: Any) -> None:
        self._stream = output.add_stream_from_template(stream)

    def taken(self, packet: Any) -> list[Any]:
        packet.stream = self._stream
        return [packet]

    def end(self) -> list[Any]:
        return []


class _Encoded:
    """A track that is decoded and encoded again, mono or stereo."""

    def __init__(self, stream: Any, output: Any) -> None:
        context = stream.codec_context
        rate = context.sample_rate if context.sample_rate in _RATES else _RATES[-1]
        layout = "mono" if context.channels == 1 else "stereo"
        self._stream = output.add_stream(_CODEC, rate=rate, layout=layout)
        self._resampler = pyav().AudioResampler("fltp", layout, rate)

    def taken(self, packet: Any) -> list[Any]:
        try:
            frames = packet.decode()
        except pyav().error.InvalidDataError:
            return []
        resampled = [made for frame in frames for made in self._resampler.resample(frame)]
        return [coded for frame in resampled for coded in self._stream.encode(frame)]

    def end(self) -> list[Any]:
        rest = [coded for frame in self._resampler.resample(None) for coded in self._stream.encode(frame)]
        return [*rest, *self._stream.encode(None)]
