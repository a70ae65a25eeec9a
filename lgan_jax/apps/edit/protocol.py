"""What travels between page and server: a JSON header and numbers, in one binary frame.

A frame is a little-endian uint32 with the header's length in bytes (a multiple of 4, padded with spaces), the header,
UTF-8 JSON, and the payload. Landmarks are float32 `(N, 2)` in [0, 1], little-endian.

Requests: `{"kind": "render", "id", "people": [index …], "convert", "constrain", "encoding", "blend": {"to", "amount"}
or absent}` with landmarks; `{"kind": "camera", "id"}` with a JPEG file; `{"kind": "express", "id", "view"}` with action
units, float32 `(17,)`. Answers: `image` with `clamped`, the share of the edit that was clamped, for each person,
the converted landmarks `(people, N, 2)` and then one image for each; `face` with the landmarks found; `no_face`;
`expression` with `photo`, the number of the photo that it is of, and an image file; `error` with `message` and `of`,
the request's kind. The server's first word is `welcome` with `session`, which uploads for this page repeat, or
`refused` with `message`, and then it closes the socket. Uploads and
exports use the same frames over HTTP.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32

from lgan_jax import action_units
from lgan_jax.core import FaceInfo

ENCODINGS = ("raw", "jpeg")
VIEWS = ("result", "aligned", "texture", "attention")
MOST_FRAMES = 48  # of a strip
_MOST_HEADER = 4096
_FARTHEST = 10.0  # frames that a point may lie away; nothing on the page goes that far


@dataclasses.dataclass(frozen=True)
class Look:
    """The people whose faces are generated from landmarks, and how.

    Attributes:
      people: indices of the run's identities, one image each.
      convert: whether landmarks are brought to each person's face first.
      to: index of a second person that each image is blended with, or None.
      amount: how much of the second person, in [0, 1].
      constrain: whether converted landmarks are held where each person's training frames have been, by a run that can.
    """

    people: tuple[int, ...]
    convert: bool = True
    to: int | None = None
    amount: float = 0.0
    constrain: bool = True


def pack(header: Mapping[str, Any], *payload: bytes) -> bytes:
    """A frame."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([struct.pack("<I", len(text)), text, *payload])


def unpack(frame: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and payload. Raises `ValueError`, one line, for a malformed frame."""
    if len(frame) < 4:
        raise ValueError(f"a message of {len(frame)} bytes is no frame of this page")
    (length,) = struct.unpack_from("<I", frame)
    if length > min(_MOST_HEADER, len(frame) - 4):
        raise ValueError("the message is no frame of this page: its header does not fit")
    try:
        header = json.loads(frame[4 : 4 + length])
    except (ValueError, RecursionError):
        raise ValueError("the message is no frame of this page: its header is not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("the message is no frame of this page: its header is no object")
    return header, frame[4 + length :]


def look(header: Mapping[str, Any], info: FaceInfo) -> Look:
    """The people and settings that a header asks for. Raises `ValueError`, one line, for invalid ones."""
    count = len(info.identities)
    people = header.get("people")
    if not isinstance(people, list) or not 1 <= len(people) <= count or not all(_index(p, count) for p in people):
        raise ValueError(f"people must be a list of 1 to {count} indices below {count}")
    blend = header.get("blend")
    convert, constrain = (header.get(name, True) is not False for name in ("convert", "constrain"))
    if blend is None:
        return Look(tuple(people), convert, constrain=constrain)
    if not isinstance(blend, dict) or not _index(blend.get("to"), count):
        raise ValueError(f"blend must name another person: to, an index below {count}")
    amount = blend.get("amount")
    if not isinstance(amount, int | float) or isinstance(amount, bool) or not 0 <= amount <= 1:
        raise ValueError("blend needs an amount in [0, 1]")
    return Look(tuple(people), convert, blend["to"], float(amount), constrain)


def encoding(header: Mapping[str, Any]) -> str:
    """The encoding of the images to send. Raises `ValueError` for one not in `ENCODINGS`."""
    wanted = header.get("encoding", ENCODINGS[0])
    if wanted not in ENCODINGS:
        raise ValueError(f"encoding must be one of {', '.join(ENCODINGS)}")
    return wanted


def view(header: Mapping[str, Any]) -> str:
    """The view of an edit. Raises `ValueError` for one not in `VIEWS`."""
    wanted = header.get("view")
    if wanted not in VIEWS:
        raise ValueError(f"view must be one of {', '.join(VIEWS)}")
    return wanted


def number(header: Mapping[str, Any]) -> int:
    """The request's number, which its answer repeats. Raises `ValueError` for another type."""
    value = header.get("id")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError("id must be a whole number")
    return value


def landmark_sets(payload: bytes, info: FaceInfo, most: int = 1) -> Float32[np.ndarray, "n N 2"]:
    """One to `most` sets of landmarks. Raises `ValueError`, one line, for anything else."""
    count = info.scheme.count
    sets, rest = divmod(len(payload), count * 8)
    if rest or not 1 <= sets <= most:
        wanted = f"{count} points of {info.scheme.name}, {count * 8} bytes"
        raise ValueError(
            f"landmarks have {len(payload)} bytes; expected {wanted}{f', at most {most} times' * (most > 1)}"
        )
    points = np.frombuffer(payload, "<f4").reshape(sets, count, 2).astype(np.float32)
    if not (np.abs(points) <= _FARTHEST).all():
        raise ValueError("landmarks must be finite and near the image")
    return points


def units(payload: bytes) -> Float32[np.ndarray, " 17"]:
    """One set of action units. Raises `ValueError`, one line, for anything else."""
    count = len(action_units.NUMBERS)
    if len(payload) != 4 * count:
        raise ValueError(f"action units have {len(payload)} bytes; expected {count} numbers, {4 * count} bytes")
    intensities = np.frombuffer(payload, "<f4").astype(np.float32)
    if not ((intensities >= 0) & (intensities <= 1)).all():
        raise ValueError("action units must be in [0, 1]")
    return intensities


def _index(value: Any, count: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count
