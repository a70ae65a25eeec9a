"""Files and folders that are replaced at once, and folders with checksums.

After a crash, a full disk or a power cut there is the old file or the new one, never a part: the new one grows under a
hidden, unique name beside its place, is flushed to the disk, and is then renamed; the folder around it is flushed too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lgan_jax import untrusted

CHECKSUMS = "checksums.json"  # of a sealed folder, in it
_PART = ".lgan_jax-"  # how the names of unfinished files and folders begin
_SMALL = 2**20  # bytes up to which a quick check reads a file


class Replacement:
    """A file or folder on its way to its place. Use as a context manager: what is not committed is removed.

    What a killed process left of another is removed from the same folder. A disk that is full or cannot be written is
    an `OSError` that names the place.

    Attributes:
      place: where it is to be.
      part: where it grows; `folder` says whether a folder or an empty file is there.
    """

    def __init__(self, place: str | os.PathLike, folder: bool = False):
        self.place = Path(place)
        with self.named():
            _remove_leftovers(self.place.parent)
            self.part, self._descriptor = _new(self.place, folder)

    def __enter__(self) -> Replacement:
        return self

    def __exit__(self, *_) -> None:
        self.discard()

    def named(self) -> contextlib.AbstractContextManager[None]:
        """See the function of this name."""
        return named(self.place)

    def commit(self, place: str | os.PathLike | None = None) -> None:
        """Puts it on the disk and at its place, or at another one in the same folder; a file there is replaced."""
        place = Path(place or self.place)
        with self.named():
            move(self.part, place)
        self._release()

    def discard(self) -> None:
        """Removes it, unless it was committed."""
        if self._descriptor is not None:
            _remove(self.part)
            self._release()

    def _release(self) -> None:
        os.close(self._descriptor)
        self._descriptor = None


@contextlib.contextmanager
def named(place: str | os.PathLike) -> Iterator[None]:
    """Gives an `OSError` that names no file, or an unfinished one, the name of the place."""
    try:
        yield
    except OSError as error:
        unnamed = not error.filename or _PART in os.fsdecode(error.filename)
        if error.errno is None or not unnamed:
            raise
        raise OSError(error.errno, os.strerror(error.errno), os.fspath(place)) from error


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Writes a file: the whole file or nothing. Raises `OSError` that names it."""
    with Replacement(path) as new:
        with new.named():
            new.part.write_bytes(data)
        new.commit()


def write_text(path: str | os.PathLike, text: str) -> None:
    """`write_bytes` of UTF-8."""
    write_bytes(path, text.encode())


def make_folder(path: str | os.PathLike) -> None:
    """Makes a folder, and those around it, where they are missing, and flushes them to the disk."""
    path = Path(path)
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_entries(folder.parent)


def move(source: Path, place: Path) -> None:
    """Flushes a file or folder to the disk, then renames it to `place`, where a file or an empty folder may be."""
    sync(source)
    os.replace(source, place)
    sync_entries(place.parent)
    if source.parent != place.parent:
        sync_entries(source.parent)


def sync(path: Path) -> None:
    """Flushes a file, or a folder with all that is in it, to the disk."""
    if not path.is_dir():
        _sync_one(path)
        return
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            _sync_one(Path(folder, name))
        sync_entries(Path(folder))


def sync_entries(folder: Path) -> None:
    """Flushes the list of what is in a folder to the disk, where the file system can."""
    try:
        _sync_one(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def seal(folder: Path) -> None:
    """Adds `checksums.json` with size and SHA-256 of every file in a folder, and flushes all of it to the disk."""
    found = {path.relative_to(folder).as_posix(): _size_and_sum(path) for path in _files(folder)}
    write_text(folder / CHECKSUMS, json.dumps(found, indent=1))
    sync(folder)


def is_sealed(folder: Path) -> bool:
    """Whether a folder has checksums."""
    return (folder / CHECKSUMS).is_file()


def damage(folder: Path, quick: bool = False) -> str | None:
    """Which file of a sealed folder is not as it was sealed, and why; None where all are.

    `quick`: the contents of files over 1 MiB are not read. Files that were added later are ignored.
    """
    try:
        sealed = json.loads((folder / CHECKSUMS).read_text())
        for name, (size, checksum) in sealed.items():
            if not _lies_below(name):
                return f"{CHECKSUMS} names {name!r:.80}, which does not lie in it"
            there = (folder / name).stat().st_size
            if there != size:
                return f"{name} has {there:,} bytes, not {size:,}"
            if (size <= _SMALL or not quick) and _size_and_sum(folder / name)[1] != checksum:
                return f"{name} is not as it was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename).relative_to(folder)} is missing"
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        return f"it cannot be read ({error})"
    return None


def _lies_below(name: str) -> bool:
    """Whether a file's name, with folders, leads nowhere else than into a folder that it is joined to."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _new(place: Path, folder: bool) -> tuple[Path, int]:
    """A new file or folder beside a place, and a descriptor whose lock says that a process is at work on it."""
    while True:
        part = place.with_name(f"{_PART}{secrets.token_hex(6)}{'' if folder else place.suffix}")
        if folder:
            part.mkdir()
        descriptor = os.open(part, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if _locked(descriptor) is not False and part.exists():
            return part, descriptor
        os.close(descriptor)  # another process has taken it for a leftover


def _locked(descriptor: int) -> bool | None:
    """Whether a lock could be had; None where the file system has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_leftovers(folder: Path) -> None:
    """Removes unfinished files and folders that no process is at work on."""
    for entry in os.scandir(folder):
        if entry.name.startswith(_PART):
            with contextlib.suppress(OSError):  # another process was faster, or it is not ours to remove
                descriptor = os.open(entry.path, os.O_RDONLY)
                try:
                    if _locked(descriptor):
                        _remove(Path(entry.path))
                finally:
                    os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != CHECKSUMS)


def _size_and_sum(path: Path) -> list:
    with untrusted.opened(path) as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]
