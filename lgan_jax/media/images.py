"""Images on disk, in the program and on a screen.

On disk JPEG or PNG bytes; on a screen uint8 RGB `(H, W, 3)`, on which metrics are measured; in the program float RGB in
[-1, 1].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lgan_jax import image_limits, untrusted
from lgan_jax.media import photos
from lgan_jax.media.photos import Photo

_LONGEST = 8192  # pixels; larger photos are reduced to it when they are read


def decode(data: bytes) -> UInt8[np.ndarray, "H W 3"]:
    """The image in an image file's bytes, as `decode_photo` reads it."""
    return decode_photo(data).image


def decode_photo(data: bytes) -> Photo:
    """The image in an image file's bytes, upright, with its alpha channel where it is transparent.

    Reads the photos of `media.files.FORMATS`. Raises `ValueError`, one line, for what is no image or ends too early,
    or is beyond `image_limits`.
    """
    return photos.decode(data)


def read(path: Path) -> Photo:
    """A photo's file, reduced to 8,192 pixels where it is longer. Raises `ValueError` as `decode_photo`, `OSError`."""
    image, alpha = decode_photo(untrusted.read_bytes(path, image_limits.MOST_BYTES))
    return Photo(_reduced(image), None if alpha is None else _reduced(alpha))


def encode_png(image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """PNG bytes, lossless; lightly compressed, since that takes a third of the time."""
    return cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def encode_jpeg(image: UInt8[np.ndarray, "H W 3"], quality: int = 95) -> bytes:
    """JPEG bytes; `quality` in [0, 100]."""
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def resized(image: UInt8[np.ndarray, "H W 3"], size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The image at `size`×`size` pixels: areas are averaged to make it smaller, cubic interpolation enlarges."""
    if image.shape[:2] == (size, size):
        return image
    interpolation = cv2.INTER_AREA if min(image.shape[:2]) >= size else cv2.INTER_CUBIC
    return cv2.resize(image, (size, size), interpolation=interpolation)


def _reduced(image: np.ndarray) -> np.ndarray:
    scale = _LONGEST / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def to_bytes(images: Any) -> UInt8[np.ndarray, "*batch H W 3"]:
    """Images in [-1, 1] as a screen shows them. Raises `ValueError` where a value is not finite."""
    images = np.asarray(images, np.float32)
    if not np.isfinite(images).all():
        raise ValueError("the model generated an image with values that are not finite; its weights are corrupt")
    return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)


def to_floats(images: UInt8[np.ndarray, "*batch H W 3"]) -> Float[np.ndarray, "*batch H W 3"]:
    """Bytes as float32 in [-1, 1]."""
    return images.astype(np.float32) / 127.5 - 1
