"""Decoded video frames to uint8 RGB in sRGB: color matrix and range, HDR to SDR, alpha.

HDR (HLG and PQ, BT.2100) is mapped to SDR with BT.2408's reference white, 203 cd/m², as SDR's white. Light up to
`_KNEE` of it is unchanged. What is brighter, up to 1,000 cd/m², is compressed by the Möbius curve that FFmpeg's
filter `tonemap` has too.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16

from lgan_jax.media import photos

PQ, HLG = 16, 18  # transfer characteristics, as ITU-T H.273 numbers them
_BT709, _UNSPECIFIED = 1, 2  # matrix coefficients, likewise
_HD = 720  # lines from which a video that does not say its matrix is taken for BT.709, as players do
_WHITE, _PEAK = 203.0, 1000.0  # cd/m²
_KNEE = 0.75  # of the reference white
_STEPS = 4096  # of the tables
_BAND = 65536  # pixels worked on at once: they fit into a core's cache
TO_BT709 = np.array(  # of linear light in BT.2020's primaries (BT.2087)
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)


def hdr(frame: Any) -> str:
    """ "HLG" or "PQ" for a PyAV frame in HDR, "" for SDR."""
    return {HLG: "HLG", PQ: "PQ"}.get(int(frame.color_trc), "")


def is_transparent(frame: Any) -> bool:
    """Whether a PyAV frame is transparent in places. Alpha that is 0 everywhere is an unused byte."""
    if not any(component.is_alpha for component in frame.format.components):
        return False
    alpha = _converted(frame, frame.width, frame.height, "rgba")[..., 3]
    return bool(alpha.any() and alpha.min() < 255)


def rgb(frame: Any, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """A PyAV frame scaled to `width`×`height`, as uint8 RGB in sRGB; transparent parts are white."""
    if hdr(frame):
        return to_sdr(_converted(frame, width, height, "rgb48le"), int(frame.color_trc))
    if is_transparent(frame):
        return photos.composited(_converted(frame, width, height, "rgba")).image
    return _converted(frame, width, height, "rgb24")


def _converted(frame: Any, width: int, height: int, form: str) -> np.ndarray:
    matrix = int(frame.colorspace)
    if matrix == _UNSPECIFIED and frame.format.is_rgb is False and frame.height >= _HD:
        matrix = _BT709
    bicubic = "BICUBIC" if (width, height) != (frame.width, frame.height) else None
    scaled = frame.reformat(width, height, form, src_colorspace=matrix, interpolation=bicubic, threads=1)
    return scaled.to_ndarray()


def to_sdr(image: UInt16[np.ndarray, "H W 3"], transfer: int) -> UInt8[np.ndarray, "H W 3"]:
    """An HDR image, 16-bit RGB in BT.2020's primaries with the transfer `HLG` or `PQ`, as uint8 sRGB."""
    result = np.empty(image.shape, np.uint8)
    rows = max(_BAND // image.shape[1], 1)
    for top in range(0, len(image), rows):
        result[top : top + rows] = _band(image[top : top + rows], transfer)
    return result


def _band(image: UInt16[np.ndarray, "H W 3"], transfer: int) -> UInt8[np.ndarray, "H W 3"]:
    light = _light(transfer)[image >> 4]
    if transfer == HLG:
        light *= _at(_system_gamma(), light @ _LUMA_2020)[..., None]
    light = np.maximum(cv2.transform(light * np.float32(_PEAK / _WHITE), TO_BT709), 0)
    light *= _at(_tone_gain(), light.max(-1) * np.float32(_WHITE / _PEAK))[..., None]
    return _at(_encoded(), light)


def _at(table: np.ndarray, values: Float32[np.ndarray, ...]) -> np.ndarray:
    """A table over [0, 1] at values, which are clipped to it."""
    return table[np.minimum(values * (len(table) - 1) + 0.5, len(table) - 1).astype(np.int32)]


@functools.cache
def _light(transfer: int) -> Float32[np.ndarray, " steps"]:
    """Linear light of coded values in [0, 1]: of the display over `_PEAK` for PQ (ST 2084), of the scene for HLG."""
    coded = np.linspace(0, 1, _STEPS)
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12).astype(np.float32)
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = coded ** (1 / m2)
    return (10000 / _PEAK * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)).astype(np.float32)


@functools.cache
def _system_gamma() -> Float32[np.ndarray, " steps"]:
    """HLG's factor from the scene's light to the display's, over the scene's luminance: Y^(γ - 1), γ = 1.2."""
    luminance = np.linspace(0, 1, 16 * _STEPS)
    return (luminance**0.2).astype(np.float32)


@functools.cache
def _tone_gain() -> Float32[np.ndarray, " steps"]:
    """The factor of the tone curve, over the brightest channel's light over `_PEAK`."""
    light = np.linspace(0, 1, 16 * _STEPS) * (_PEAK / _WHITE)
    return (_mobius(light, _PEAK / _WHITE) / np.maximum(light, 1e-9)).astype(np.float32)


def _mobius(light: Float[np.ndarray, " n"], peak: float) -> Float[np.ndarray, " n"]:
    """The identity up to `_KNEE`, from there a smooth way to 1 at `peak`."""
    a = -(_KNEE**2) * (peak - 1) / (_KNEE**2 - 2 * _KNEE + peak)
    b = (_KNEE**2 - 2 * _KNEE * peak + peak) / (peak - 1)
    high = (b**2 + 2 * b * _KNEE + _KNEE**2) / (b - a) * (light + a) / (light + b)
    return np.where(light <= _KNEE, light, high)


@functools.cache
def _encoded() -> UInt8[np.ndarray, " steps"]:
    """sRGB's bytes of linear light in [0, 1] (IEC 61966-2-1)."""
    light = np.linspace(0, 1, 16 * _STEPS)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * coded).astype(np.uint8)
