"""Files of tensors: PyTorch's, safetensors, NumPy's. What a file is shows in its first bytes, whatever its name.

No file can run anything, reach memory outside of what it holds, or take far more memory than its size: see `pickles`,
`torchfiles` and `untrusted`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from lgan_jax import untrusted
from lgan_jax.interop import torchfiles

MOST_BYTES = 8 * 2**30  # of a file
_ZIP, _PICKLE = b"PK", b"\x80"
_DTYPES = {  # safetensors' names
    **{"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16},
    **{"I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_},
}
_OTHERS = (  # how files begin that are often found in the place of weights, and what they are
    (b"version https://git-lfs", "a pointer of Git LFS in the place of the file: run git lfs pull where it is from"),
    (b"<", "a web page that was saved in the place of the file: download the file again"),
    (b"{", "a text file in JSON, no file of weights"),
)


def read(path: Path) -> dict[str, Any]:
    """The arrays of a file by their names, nested where the file nests them.

    Raises `ValueError`, one line, for another kind of file, a damaged one, or one that holds other objects than
    tensors; `OSError` where it cannot be read; `ModuleNotFoundError` where the package for it is missing.
    """
    with untrusted.opened(path) as file:
        start = file.read(64)
    try:
        if start[8:9] == b"{":
            return _safetensors(path)
        if start.startswith(_ZIP):
            return _zip(path)
        if start.startswith(_PICKLE):
            return torchfiles.read_older(untrusted.read_bytes(path, MOST_BYTES))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    raise ValueError(f"{path} is no file of weights; {described(start)}")


def described(start: bytes) -> str:
    """What a file is that begins like this and is no file of weights."""
    if not start:
        return "it is empty: download it again"
    known = [what for begin, what in _OTHERS if start.lstrip().startswith(begin)]
    return f"it is {known[0]}" if known else ".pt, .pth, .safetensors and .npz are read"


def _zip(path: Path) -> dict[str, Any]:
    with untrusted.Archive(path) as archive:
        if archive.names and all(name.endswith(".npy") for name in archive.names):
            return untrusted.arrays(archive)
        return torchfiles.read(archive)


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        import safetensors
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"reading {path.name} needs safetensors: pip install 'lgan_jax[safetensors]'"
        ) from None
    try:
        stored = safetensors.deserialize(untrusted.read_bytes(path, MOST_BYTES))
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None
    if others := {of["dtype"] for _, of in stored} - _DTYPES.keys():
        raise ValueError(f"it holds numbers of the types {', '.join(sorted(others))}, which are not read")
    return {
        name: untrusted.shaped(memoryview(of["data"]), np.dtype(_DTYPES[of["dtype"]]), tuple(of["shape"]))
        for name, of in stored
    }
