"""Photos that the page sends: read with limits, then the face in them.

A file that is no photo, or too large, is refused from its first bytes, before it is decoded or stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lgan_jax import image_limits
from lgan_jax.media import images

MOST_BYTES = 32 * 2**20
MOST_PIXELS = 40_000_000
WITHIN = 120.0  # seconds for an upload: 32 MB at 2 Mbit/s
_SIDE = 1600  # pixels, to which a photo is reduced before a face is detected


class TooLarge(ValueError):
    """More than may be sent."""


async def body(headers: Mapping[str, str], chunks: AsyncIterable[bytes], most: int = MOST_BYTES) -> bytes:
    """The body of a request.

    Raises `TooLarge` as soon as it says, or turns out, to be more than `most` bytes, and `ValueError` where it does not
    arrive within `WITHIN` seconds.
    """
    refusal = f"at most {most // 2**20} MB can be sent"
    said = headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > most:
        raise TooLarge(refusal)
    data = bytearray()
    try:
        async with asyncio.timeout(WITHIN):
            async for chunk in chunks:
                data += chunk
                if len(data) > most:
                    raise TooLarge(refusal)
    except TimeoutError:
        raise ValueError(f"what was sent did not arrive within {WITHIN:g} seconds") from None
    return bytes(data)


def decode(data: bytes) -> UInt8[np.ndarray, "H W 3"]:
    """The photo, upright as its camera was held, at most 1,600 pixels long.

    Raises `ValueError`, one line, for what is no photo of `media.files.FORMATS`, is cut short, or has more than 40
    megapixels.
    """
    try:
        image_limits.check(data, MOST_PIXELS)
        upright = Image.fromarray(images.decode(data))
    except image_limits.TooLargeError:
        most = MOST_PIXELS // 10**6
        raise TooLarge(f"the photo has more than {most} megapixels; make it smaller first") from None
    except ImportError as error:
        raise ValueError(str(error)) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise ValueError(f"this is no photo that can be read ({error})") from None
    upright.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(upright)
