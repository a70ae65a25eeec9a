"""The data description and training landmarks that a run stores, so that apps need no data set."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from lgan_jax import files, untrusted
from lgan_jax.core import FaceInfo
from lgan_jax.data.dataset import FaceData
from lgan_jax.ops.spacing import evenly_spaced

_FILE = "landmarks.npz"
_MEAN = "mean"  # the only key in the file of a run that stores no person's landmarks
_MOST = 500  # landmark sets of each identity


def described(faces: FaceData, info: FaceInfo) -> dict[str, Any]:
    """The data section of a run manifest; `info` may name the identities differently than the data."""
    parts = [{"name": each.name, "fingerprint": each.fingerprint, "images": each.counts} for each in faces.parts]
    return ({"parts": parts} if parts else {}) | {
        "name": faces.name,
        "built_in": faces.built_in,
        "fingerprint": faces.fingerprint,
        "scheme": info.scheme.name,
        "size": info.size,
        "identities": list(info.identities),
    }


def landmarks(faces: FaceData, identity: int | None = None) -> Float32[np.ndarray, "k N 2"]:
    """Landmarks of an identity's training frames, or of all identities; at most 500, evenly spaced.

    Empty, `(0, N, 2)`, for a person who is not in the training split.
    """
    members = np.arange(len(faces.train)) if identity is None else np.flatnonzero(faces.train.identity == identity)
    chosen = [faces.train[int(index)]["landmarks"] for index in evenly_spaced(members, _MOST)]
    return np.stack(chosen) if chosen else np.zeros((0, faces.info.scheme.count, 2), np.float32)


def write(folder: Path, of_each: Sequence[np.ndarray]) -> None:
    """Writes landmarks, one array for each identity, into a run's folder, atomically."""
    _write(folder, {str(i): points for i, points in enumerate(of_each)})


def write_mean(folder: Path, of_each: Sequence[np.ndarray]) -> None:
    """Writes only the mean of all identities' mean landmarks, which describes the framing but no person."""
    _write(folder, {_MEAN: np.mean([points.mean(0, dtype=np.float64) for points in of_each], axis=0)[None]})


def _write(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    data = io.BytesIO()
    np.savez_compressed(data, **{name: points.astype(np.float32) for name, points in arrays.items()})
    files.write_bytes(folder / _FILE, data.getvalue())


def is_there(folder: Path) -> bool:
    """Whether a run's folder has training landmarks."""
    return (folder / _FILE).exists()


def read(folder: Path, identities: Sequence[str]) -> Mapping[str, Float32[np.ndarray, "k N 2"]]:
    """Training landmarks of a run by identity; `mean`, `(1, N, 2)`, where the run stores only the mean.

    Raises `FileNotFoundError` where there is no file, `ValueError` where it is damaged or has other identities.
    """
    path = folder / _FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; repeat the command that trained the run to write it")
    stored = untrusted.read_npz(path)
    keys = {_MEAN: _MEAN} if _MEAN in stored else {name: str(i) for i, name in enumerate(identities)}
    found = {name: stored.get(key) for name, key in keys.items()}
    for name, points in found.items():
        if points is None or not _are_landmarks(points):
            raise ValueError(f"{path} has no landmarks of {name}; repeat the command that trained the run")
    return found


def _are_landmarks(points: np.ndarray) -> bool:
    shaped = points.dtype == np.float32 and points.ndim == 3 and points.shape[-1] == 2
    return shaped and bool(np.isfinite(points).all())
