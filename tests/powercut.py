"""A power cut: what is left of a folder at any moment, where only what was flushed is sure to be on the disk."""

import contextlib
import os
import stat
from pathlib import Path

import pytest


class Disk:
    """Watches what is flushed of a folder while entered, and takes an image of it before and after every such moment.

    Two kinds of file system lose different things, and every moment has an image of each: one keeps only the entries of
    folders that were flushed; the other keeps each change of a folder at once, but of the files in it, as the first
    does, only what was flushed of them: another file is empty.

    Attributes:
      images: what would be left, path relative to the folder → contents (None: a folder), moment by moment.
    """

    def __init__(self, root: Path):
        self.root, self.images = root, []
        self._contents: dict[int, bytes] = {}
        self._entries: dict[int, dict[str, tuple[int, bool]]] = {}
        self._held: list[int] = []  # so that no number of a file is used again
        self._real_fsync = os.fsync
        for path in [root, *sorted(root.rglob("*"))]:  # what is there before is on the disk
            descriptor = os.open(path, os.O_RDONLY)
            self._remember(descriptor)
            os.close(descriptor)

    def __enter__(self):
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(os, "fsync", self._fsync)
        for name in ("replace", "rename", "mkdir"):
            self._patch.setattr(os, name, self._noting(getattr(os, name)))
        return self

    def __exit__(self, *_):
        self._patch.undo()
        self._note()
        for descriptor in self._held:
            os.close(descriptor)

    def _fsync(self, descriptor):
        self._real_fsync(descriptor)
        self._remember(descriptor)
        self._note()

    def _noting(self, function):
        def called(*given, **more):
            self._note()
            result = function(*given, **more)
            self._note()
            return result

        return called

    def _remember(self, descriptor):
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            found = {entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(descriptor)}
            self._entries[status.st_ino] = found
        else:
            self._contents[status.st_ino] = os.pread(descriptor, status.st_size, 0)
            self._held.append(os.dup(descriptor))

    def _note(self):
        for now in (False, True):
            image = {}
            self._look(self.root.stat().st_ino, self.root, Path(), now, image)
            self.images.append(image)

    def _look(self, number, folder, place, now, image):
        """Adds a folder's entries: those that it has `now`, or those that were flushed."""
        entries = self._entries.get(number, {})
        if now:
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile by another thread
                entries = {entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(folder)}
        for name, (inner, is_folder) in entries.items():
            image[place / name] = None if is_folder else self._contents.get(inner, b"")
            if is_folder:
                self._look(inner, folder / name, place / name, now, image)

    def left(self, folder: Path):
        """Puts every image, those that are alike once, into a folder of its own below `folder`, and yields it."""
        seen = []
        for image in self.images:
            if image not in seen:
                seen.append(image)
                place = folder / f"cut-{len(seen)}"
                place.mkdir(parents=True)
                for path, contents in sorted(image.items()):
                    if contents is None:
                        (place / path).mkdir()
                    else:
                        (place / path).write_bytes(contents)
                yield place
