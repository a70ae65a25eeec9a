"""The bytes of an image file to uint8 RGB `(H, W, 3)`, as a viewer shows the image, whatever format it is in.

Upright by its orientation tag. 16-bit and float samples are scaled to 8 bits, CMYK and palettes are resolved. What is
transparent is composited on `BACKGROUND`, so that colors hidden under it never show.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, features

from lgan_jax import image_limits
from lgan_jax.media import files

BACKGROUND = 255  # white
TRANSPARENT = "transparent parts are shown on white"
_PILLOW = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "JPEG2000", "PPM")
_HAS_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
_PLAIN_PNG = (b"\x08\x00", b"\x08\x02")  # 8 bits of gray or RGB
_UNREADABLE = "no image can be decoded"


class Photo(NamedTuple):
    """A decoded image.

    Attributes:
      image: uint8 RGB `(H, W, 3)`, composited on white where it is transparent.
      alpha: uint8 `(H, W)`, 0 where it is fully transparent; None for an image that is opaque everywhere.
    """

    image: UInt8[np.ndarray, "H W 3"]
    alpha: UInt8[np.ndarray, "H W"] | None = None


def decode(data: bytes) -> Photo:
    """Decodes an image file's bytes.

    Raises `ValueError`, one line, for what is no image, ends too early, or is beyond `image_limits`. The first frame of
    an animated image is taken.
    """
    if not _complete(data):
        raise ValueError("the image is truncated")
    found = files.identify(data[: files.HEAD])
    if found is None or found.kind != "photo":
        raise ValueError(f"{_UNREADABLE}{f': it is {found.name}' if found else ''}")
    try:
        _further(found.name)
        image_limits.check(data)
        return Photo(_by_opencv(data)) if plain(data) else _by_pillow(data, found.name)
    except image_limits.TooLargeError:
        raise
    except ImportError as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # any exception of a decoder, given untrusted bytes
        raise ValueError(f"{_UNREADABLE}: this {found.name} image is damaged or of an unusual kind") from error


def opened(data: bytes | io.BufferedIOBase) -> Image.Image:
    """The image as Pillow opens it, not decoded yet. Raises `ImportError` where a format needs what is not there."""
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    found = files.identify(stream.read(files.HEAD))
    stream.seek(0)
    Image.init()  # Pillow's own list of formats is short until then
    return Image.open(stream, formats=_PILLOW + _further(found.name if found else ""))


def composited(image: UInt8[np.ndarray, "H W 4"]) -> Photo:
    """An RGBA image on `BACKGROUND`."""
    alpha = image[..., 3]
    if alpha.min() == 255:
        return Photo(np.ascontiguousarray(image[..., :3]))
    share = alpha[..., None].astype(np.uint16)
    mixed = (image[..., :3] * share + BACKGROUND * (255 - share) + 127) // 255
    return Photo(mixed.astype(np.uint8), np.ascontiguousarray(alpha))


def with_alpha(image: UInt8[np.ndarray, "H W 3"], alpha: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 4"]:
    """An image that was composited on `BACKGROUND` as RGBA again; where nothing shows it is `BACKGROUND`."""
    share = np.maximum(alpha, 1)[..., None] / np.float32(255)
    color = (image.astype(np.float32) - BACKGROUND * (1 - share)) / share
    color = np.where(alpha[..., None] > 0, np.clip(color + 0.5, 0, 255), BACKGROUND)
    return np.dstack([color.astype(np.uint8), alpha])


def plain(data: bytes) -> bool:
    """Whether OpenCV, which is faster, reads an image as viewers show it: JPEG, and opaque PNG of 8 bits."""
    if data.startswith(b"\xff\xd8"):
        return True
    return data.startswith(b"\x89PNG") and data[24:26] in _PLAIN_PNG and b"tRNS" not in data[: data.find(b"IDAT")]


def _by_opencv(data: bytes) -> UInt8[np.ndarray, "H W 3"]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(_UNREADABLE)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _by_pillow(data: bytes, name: str) -> Photo:
    try:
        image = ImageOps.exif_transpose(opened(data))
    except OSError:
        if name != "TIFF":
            raise
        return Photo(_floats_of_tiff(data))
    if image.mode in _HAS_ALPHA or "transparency" in image.info:
        return composited(np.asarray(image.convert("RGBA")))
    if image.mode in ("F", "I") or image.mode.startswith("I;"):
        return Photo(np.repeat(_to_bytes(np.asarray(image))[..., None], 3, axis=-1))
    return Photo(np.array(image.convert("RGB")))


def _floats_of_tiff(data: bytes) -> UInt8[np.ndarray, "H W 3"]:
    """A TIFF of a kind that Pillow does not know: RGB of floats, or of 32 bits."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3:
        raise ValueError(_UNREADABLE)
    return np.ascontiguousarray(_to_bytes(image[..., 2::-1]))


def _to_bytes(image: np.ndarray) -> np.ndarray:
    """Samples of more than 8 bits as bytes: floats in [0, 1], in [0, 255] or in [0, 65535], integers likewise."""
    if image.dtype == np.uint8:
        return image
    values = np.nan_to_num(image.astype(np.float32), posinf=0.0, neginf=0.0)
    highest = 65535.0 if image.dtype == np.uint16 else float(values.max(initial=0.0))
    floats = np.issubdtype(image.dtype, np.floating)
    full = 1.0 if floats and highest <= 2 else 255.0 if highest <= 255 else 65535.0
    return np.clip(values * (255.0 / full) + 0.5, 0, 255).astype(np.uint8)


def _further(name: str) -> tuple[str, ...]:
    """Pillow's names of formats that not every installation has."""
    if name == "AVIF":
        if not features.check("avif"):
            raise ImportError("this is an AVIF image, which needs Pillow 11.3 or later: pip install -U pillow")
        return ("AVIF",)
    if name == "HEIC":
        try:
            import pillow_heif
        except ImportError:
            raise ImportError("this is a HEIC photo, which needs pillow-heif: pip install 'lgan_jax[faces]'") from None
        pillow_heif.register_heif_opener()
        return ("HEIF",)
    return ()


def _complete(data: bytes) -> bool:
    """Whether a JPEG or PNG file has its end mark; some decoders fill the rest with gray and say nothing."""
    if data.startswith(b"\xff\xd8"):  # after the last start of scan there must be an end of image
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-64:]
    return True
