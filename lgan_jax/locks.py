"""Locks that keep two processes out of one place. The operating system holds them: a killed process holds none."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lgan_jax import files

NAME = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_SHOWN = 200  # characters of a command
_PAUSE = 0.2  # seconds between two attempts


@contextlib.contextmanager
def held(place: str | os.PathLike, what: str, inside: bool = False, wait: bool = False) -> Iterator[None]:
    """Keeps other processes from `place` while entered; `what` names it in messages.

    The lock is a file beside the place, or `inside` of it (a folder, created where missing, and removed again if it is
    still empty then). It says who holds it, and is gone afterwards.

    Raises `BlockingIOError`, one line that names the process, where another one holds it; with `wait`, says so on the
    standard error and waits. On a file system without locks a line says that nothing keeps others out.
    """
    place = Path(place)
    file = place / NAME if inside else place.with_name(f".{place.name}{NAME}")
    new = inside and not place.exists()
    descriptor = _acquired(file, what, inside, wait)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)
        if new:
            with contextlib.suppress(OSError):  # there is something in it, as there should be
                place.rmdir()


def _acquired(file: Path, what: str, make_folder: bool, wait: bool) -> int:
    """A descriptor of the locked file."""
    said = False
    while True:
        descriptor = _opened(file, make_folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            if not wait:
                line = f"{what} is in use by {holder}: wait until it ends, or give another place"
                raise BlockingIOError(line) from None
            if not said:
                print(f"waiting for {what}, which is in use by {holder}", file=sys.stderr, flush=True)
            said = True
            time.sleep(_PAUSE)
            continue
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(descriptor)
                raise
            print(f"NOTE: {file.parent} has no locks ({error.strerror}): start no second process", file=sys.stderr)
            return descriptor
        if _same(descriptor, file):
            os.truncate(descriptor, 0)
            os.write(descriptor, _myself().encode(errors="backslashreplace"))
            return descriptor
        os.close(descriptor)  # its holder has just removed it


def _opened(file: Path, make_folder: bool) -> int:
    while True:
        if make_folder:
            files.make_folder(file.parent)
        try:
            return os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            if not make_folder:
                raise


def _same(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _myself() -> str:
    command = shlex.join(sys.argv)
    return f"process {os.getpid()} on {socket.gethostname()} ({command[:_SHOWN]})"


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 4 * _SHOWN, 0).decode(errors="replace")
    return " ".join(text.split()) or "another process"
