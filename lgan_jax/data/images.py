"""Pictures on disk to and from arrays: uint8 `(H, W, 3)` RGB in the program, JPEG or PNG bytes in files."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8

from lgan_jax import image_limits


def decode(data: bytes) -> UInt8[np.ndarray, "H W 3"]:
    """The picture in an image file's bytes. Raises `ValueError` for what is no picture, ends too early, or is beyond
    `image_limits`."""
    image_limits.check(data)
    if not _complete(data):
        raise ValueError("the picture is truncated")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError("no picture can be decoded")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def encode_png(image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """PNG bytes, lossless; lightly compressed, since that takes a third of the time."""
    return cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def encode_jpeg(image: UInt8[np.ndarray, "H W 3"], quality: int = 95) -> bytes:
    """JPEG bytes; `quality` in [0, 100]."""
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def resized(image: UInt8[np.ndarray, "H W 3"], size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The picture at `size`×`size` pixels: areas are averaged to make it smaller, cubic interpolation enlarges."""
    if image.shape[:2] == (size, size):
        return image
    interpolation = cv2.INTER_AREA if min(image.shape[:2]) >= size else cv2.INTER_CUBIC
    return cv2.resize(image, (size, size), interpolation=interpolation)


def _complete(data: bytes) -> bool:
    """Whether a JPEG or PNG file has its end mark; some decoders fill the rest with grey and say nothing."""
    if data.startswith(b"\xff\xd8"):  # after the last start of scan there must be an end of image
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-64:]
    return True
