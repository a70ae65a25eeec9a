"""Files of tensors: PyTorch's, safetensors, NumPy's. What a file is shows in its first bytes, whatever its name.

No file is unpickled with code execution: PyTorch reads with `weights_only`, TorchScript archives are read for their
tensors alone (see `torchscript`), NumPy's without pickled objects.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from lgan_jax.interop import torchscript

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_DTYPES = {  # safetensors' names
    **{"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": jnp.bfloat16},
    **{"I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_},
}


def read(path: Path) -> dict[str, Any]:
    """The arrays of a file by their names, nested where the file nests them.

    Raises `ValueError` for another kind of file, a damaged one, or one that holds other objects than tensors; `OSError`
    where it cannot be read; `ModuleNotFoundError` where the package for it is missing.
    """
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":
        return _safetensors(path)
    if start.startswith(_ZIP):
        return _zip(path)
    if start.startswith(_PICKLE):
        return _torch(path)
    raise ValueError(f"{path} is no file of weights; .pt, .pth, .safetensors and .npz are read")


def _zip(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is damaged: {error}; fetch it again") from None
    if members and all(name.endswith(".npy") for name in members):
        return _npz(path)
    return torchscript.read(path) if torchscript.is_archive(members) else _torch(path)


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        import safetensors
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"reading {path.name} needs safetensors: pip install 'lgan_jax[safetensors]'"
        ) from None
    try:
        stored = safetensors.deserialize(path.read_bytes())
        return {name: np.frombuffer(of["data"], _DTYPES[of["dtype"]]).reshape(of["shape"]) for name, of in stored}
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _torch(path: Path) -> dict[str, Any]:
    try:
        import torch
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"reading {path.name} needs PyTorch: pip install 'lgan_jax[torch]'") from None
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path} holds Python objects beside tensors, and those are never unpickled; "
            "save the network's state_dict() alone, or as .safetensors"
        ) from None
    except (RuntimeError, EOFError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0]}; fetch it again") from None
    if not isinstance(loaded, Mapping):
        raise ValueError(f"{path} holds a {type(loaded).__name__}, no state dict")
    return _arrays(loaded, torch)


def _arrays(loaded: Mapping[Any, Any], torch: Any) -> dict[str, Any]:
    """PyTorch's tensors as arrays, bfloat16 widened."""

    def array(value: Any) -> Any:
        if isinstance(value, Mapping):
            return _arrays(value, torch)
        if not isinstance(value, torch.Tensor):
            return value
        return (value.float() if value.is_floating_point() else value).numpy()

    return {str(name): array(value) for name, value in loaded.items()}
