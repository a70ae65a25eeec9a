"""Where the library caches what it can make again: built data sets and compiled programs."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "LGAN_JAX_CACHE"
_DEFAULT = "~/.cache/lgan_jax"


def folder(setting: str = "") -> Path:
    """The folder that `setting` names, else `$LGAN_JAX_CACHE`, else `~/.cache/lgan_jax`; it need not exist yet.

    Raises `ValueError`, one line, where that needs a home folder and there is none.
    """
    named = setting or os.environ.get(VARIABLE) or _DEFAULT
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise ValueError(
            f"there is no home folder, so {named} is nowhere: set ${VARIABLE} to a folder that can be written"
        ) from None
