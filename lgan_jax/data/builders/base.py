"""Base class of the data set builders: a TFDS builder that writes `array_record` files without TensorFlow.

A record is `image` (the bytes of a JPEG or PNG file), `landmarks` float32 `(N, 2)` in [0, 1] (`(0, 2)` in a data set
without), `identity` int32, and further arrays of the data set. The builder also stores (as TFDS metadata) the
identities' names, the landmark scheme and whether there are landmarks, the identity and expression of each record,
whether records form pairs, a fingerprint of the contents, notes, and the skipped images with reasons.
"""

from __future__ import annotations

import abc
import concurrent.futures
import contextlib
import errno
import functools
import hashlib
import importlib.metadata
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, TypeVar

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Float, UInt8

from lgan_jax import files, image_limits, locks, untrusted
from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data.split import CALLED, SPLITS, TEST, TRAIN, VALIDATION, subjects_note
from lgan_jax.media import images, photos
from lgan_jax.media.files import shown
from lgan_jax.progress import Progress

SKIPPED_FILE = "skipped.txt"
MOST_TEXT, _MOST_LINES = 512 * 2**20, 2_000_000  # bytes and lines of an annotation file
_CHUNK, _SHARD = 256, 8192  # records held in memory at once while writing; records in a file
_TFDS_INFO = "dataset_info.json"
_SHOWN = 3  # skipped records named for each reason
_OUTSIDE = 0.5  # landmarks may lie this far outside the image, in image widths
_EXTENT = 0.02  # landmarks that span less than this share of the image are rejected

Given, Result = TypeVar("Given"), TypeVar("Result")
Record = Mapping[str, Any]


class Unusable(ValueError):
    """Raised for a record that must be skipped; the message is the reason, equal for all records it applies to."""


class FaceBuilder(tfds.core.DatasetBuilder, skip_registration=True):
    """Builds one data set into `<cache>/<key>`; a subclass reads (or renders) the records.

    TFDS's usual generators collect a split in memory and need TensorFlow's file access for more than 1 GB of it. This
    builder writes record by record, in order. `key` must change whenever the records change.

    Attributes:
      key: name of the built set's folder.
      identities: the identities' names; a record's `identity` is an index into them.
      scheme: name of the landmark scheme.
      landmarks: whether the records have landmarks; `records` may set it when it starts.
      pairs: whether a person's records are consecutive pairs with equal pose, gaze, light and place, and different
        expressions.
      disjoint: whether all records of a person are in one split (validation and test may be equal); otherwise every
        person has records in each split.
      total: number of records to expect, for the progress bar.
      between: number of images that are in no split, since they lie beside images of another split.
      skipped: reason → names of the skipped records.
      notes: further notes for the user, one line each.
    """

    VERSION = tfds.core.Version("2.0.0")  # 1 had no validation split
    # Nothing is downloaded; TFDS would look for checksums with a package that it does not install.
    url_infos: ClassVar[dict] = {}

    def __init__(self, cache: Path, key: str, identities: tuple[str, ...], scheme: str):
        if strange := [shown(name) for name in identities if shown(name) != name]:
            raise ValueError(f"the name of {strange[0]} is not UTF-8: rename it")
        self.key = key
        self.identities = identities
        self.scheme = scheme
        self.landmarks = True
        self.pairs = False
        self.disjoint = False
        self.total = self.between = 0
        self.notes: list[str] = []
        self.skipped: dict[str, list[str]] = {}
        self._entry = cache / key / self.name / str(self.VERSION)
        self._remove_damaged()
        super().__init__(data_dir=os.fspath(cache / key))
        self.info.set_file_format("array_record")

    @abc.abstractmethod
    def features(self) -> dict[str, Any]:
        """TFDS features of a record, except image, landmarks and identity."""

    @abc.abstractmethod
    def records(self) -> Iterator[tuple[str, Record]]:
        """Yields (split, record), identity by identity, in the order of the recording."""

    def skip(self, reason: str, name: str) -> None:
        """Records that `name` is skipped."""
        self.skipped.setdefault(reason, []).append(shown(name))

    def usable(self, load: Callable[[Given], Result], items: Iterable[tuple[str, Given]]) -> Iterator[Result]:
        """Yields `load(item)` of each (name, item), in order; items that raise `Unusable` are skipped and recorded."""

        def attempt(named: tuple[str, Given]) -> tuple[str, Result | None, Unusable | None]:
            name, item = named
            try:
                return name, load(item), None
            except Unusable as error:
                return name, None, error

        for name, record, error in in_threads(attempt, items):
            if error is None:
                yield record
            else:
                self.skip(str(error), name)

    @property
    def is_built(self) -> bool:
        """Whether the data set is built and passes a quick check."""
        return self._entry.is_dir() and _fault(self._entry) is None

    def build(self) -> None:
        """Builds the data set if missing. One of several processes builds; the others wait. Raises `OSError`."""
        if self.is_built:
            return
        files.make_folder(self._entry.parent)
        with self._locked():
            for unfinished in self._entry.parent.glob(f"{self._entry.name}.incomplete*"):
                shutil.rmtree(unfinished)
            if not self._entry.is_dir():
                self.download_and_prepare()
                files.seal(self._entry)
                files.sync_entries(self._entry.parent)

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return locks.held(self._entry, f"the cache {self._entry}", wait=True)

    def _remove_damaged(self) -> None:
        """Removes a damaged data set, which TFDS could not open; it is built again."""
        if self._entry.is_dir() and not self.is_built:
            with self._locked():
                if self._entry.is_dir() and (fault := _fault(self._entry)):
                    print(f"NOTE: {self._entry} is damaged ({fault}) and is built again", file=sys.stderr, flush=True)
                    shutil.rmtree(self._entry)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "landmarks": tfds.features.Tensor(shape=(None, 2), dtype=np.float32),
            "identity": np.int32,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features | self.features()),
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _download_and_prepare(self, dl_manager, download_config) -> None:
        """Writes the records into TFDS's temporary folder, which becomes `data_dir` on success."""
        del dl_manager, download_config
        written = self._info()  # the folder of `self.info` is the final one
        writer = tfds.core.SequentialWriter(written, max_examples_per_shard=_SHARD, file_format="array_record")
        writer.initialize_splits(list(SPLITS))
        identity: dict[str, list[int]] = {split: [] for split in SPLITS}
        expression: dict[str, list[int]] = {split: [] for split in SPLITS}
        digest = hashlib.sha256(repr((self.scheme, self.identities)).encode())
        for chunk in chunks(self._with_progress(), _CHUNK):
            for split, record in chunk:
                identity[split].append(int(record["identity"]))
                if "expression" in record:
                    expression[split].append(int(record["expression"]))
                _digest(digest, split, record)
            with _disk_errors():
                writer.add_examples({s: [record for split, record in chunk if split == s] for s in SPLITS})
        self._check(identity)
        if self.disjoint:
            self._note_subjects(identity, expression)
        if self.between:
            self.notes.append(f"images in no split, since they lie between those of two splits: {self.between:,}")
        with _disk_errors():
            writer.close_all()
        self.info.set_splits(written.splits)
        self.info.metadata.update(
            identities=list(self.identities),
            scheme=self.scheme,
            landmarks=self.landmarks,
            pairs=self.pairs,
            identity=identity,
            expression=expression if any(expression.values()) else {},
            fingerprint=digest.hexdigest(),
            notes=self.notes,
            skipped=self.skipped,
        )
        lines = [f"{name}\t{reason}\n" for reason, names in self.skipped.items() for name in names]
        (Path(self.data_dir) / SKIPPED_FILE).write_text("".join(lines), encoding="utf-8")
        with _disk_errors():
            files.seal(Path(self.data_dir))  # before the final rename; `build` adds the files that TFDS writes

    def _check(self, identity: Mapping[str, list[int]]) -> None:
        """Raises `ValueError` where a split lacks images of a person that it should have."""
        why = "; skipped: " + "; ".join(skipped_lines(self.skipped)) if self.skipped else ""
        if not any(identity.values()):
            raise ValueError(f"there is no usable image{why}")
        shown = {split: set(identity[split]) for split in SPLITS}
        if self.disjoint:
            self._check_subjects(shown, why)
            return
        for split, (index, name) in itertools.product(SPLITS, enumerate(self.identities)):
            if index not in shown[split]:
                raise ValueError(
                    f"{name} has no usable image in the {CALLED[split]} split: add images or remove the person{why}"
                )

    def _check_subjects(self, shown: Mapping[str, set[int]], why: str) -> None:
        """Raises `ValueError` where a subject is in the training split and another, or a split has no subject."""
        for split in (VALIDATION, TEST):
            if both := sorted(shown[TRAIN] & shown[split]):
                raise ValueError(f"{self.identities[both[0]]} is in the training and in the {CALLED[split]} split")
        for split, people in shown.items():
            if not people:
                raise ValueError(f"no subject has a usable image in the {CALLED[split]} split: add subjects{why}")

    def _note_subjects(self, identity: Mapping[str, list[int]], expression: Mapping[str, list[int]]) -> None:
        """Notes the number of subjects in each split, and the expressions that are missing, or missing in one split."""
        splits = [tuple(split for split in SPLITS if index in identity[split]) for index in range(len(self.identities))]
        self.notes.append(f"split by subject: {subjects_note(splits)}")
        if not any(expression.values()):
            return
        shown = {split: set(expression[split]) for split in SPLITS}
        everything = set().union(*shown.values()) & set(range(len(EXPRESSIONS)))  # without unlabeled images
        lacking = {"no subject shows": set(range(len(EXPRESSIONS))) - everything}
        lacking |= {f"no subject in the {CALLED[split]} split shows": everything - shown[split] for split in SPLITS}
        for who, labels in lacking.items():
            if labels:
                self.notes.append(f"{who} {', '.join(EXPRESSIONS[label] for label in sorted(labels))}")

    def _with_progress(self) -> Iterator[tuple[str, Record]]:
        with Progress(unit="faces", name="caching the faces") as progress:
            for record in self.records():
                progress.total = self.total  # known once the first record is
                progress.advance(1)
                yield record

    def _as_dataset(self, *args, **kwargs):
        raise NotImplementedError("array_record files are read with as_data_source")

    def _log_download_bytes(self) -> None:
        """Suppresses TFDS's line about downloads; nothing is downloaded."""

    _log_download_done = _log_download_bytes


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """array_record's writer reports a full disk as `RuntimeError`; converts it to `OSError`."""
    try:
        yield
    except RuntimeError as error:
        if error.__cause__ is not None:  # raised by TFDS for a record that does not fit the features
            raise
        raise OSError(errno.EIO, str(error)) from error


def check_landmarks(landmarks: Float[np.ndarray, "N 2"]) -> None:
    """Raises `Unusable` for landmarks that are not finite, far outside of the image [0, 1], or all at one point."""
    if not np.isfinite(landmarks).all():
        raise Unusable("landmarks are not finite")
    if landmarks.min() < -_OUTSIDE or landmarks.max() > 1 + _OUTSIDE:
        raise Unusable("landmarks lie more than half an image outside")
    if np.ptp(landmarks, axis=0).max() < _EXTENT:
        raise Unusable("all landmarks lie at one point")


def skipped_lines(skipped: Mapping[str, list[str]]) -> list[str]:
    """One line for each reason: the number of skipped records and the first names."""
    lines = []
    for reason, names in skipped.items():
        more = ", …" if len(names) > _SHOWN else ""
        lines.append(f"{len(names)} × {reason} ({', '.join(names[:_SHOWN])}{more})")
    return lines


def decoded(data: bytes) -> UInt8[np.ndarray, "H W 3"]:
    """Decodes an image file. Raises `Unusable` for other files and truncated images."""
    try:
        return images.decode(data)
    except ValueError as error:
        raise Unusable(str(error)) from None


def stored(data: bytes, image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """Bytes of an image as stored in a record: the file's bytes where they decode fast and portably, else PNG."""
    return data if photos.plain(data) else images.encode_png(image)


def read_bytes(path: Path) -> bytes:
    """Reads an image file. Raises `Unusable` where it is missing, unreadable or larger than the limit."""
    try:
        return untrusted.read_bytes(path, image_limits.MOST_BYTES)
    except FileNotFoundError:
        raise Unusable("annotation without its image") from None
    except OSError as error:
        raise Unusable(f"the file cannot be read: {error.strerror}") from None
    except ValueError:  # also for an invalid file name
        raise Unusable(f"not a file, or a file of more than {image_limits.MOST_BYTES >> 20} MB") from None


def below(folder: Path, name: str) -> Path:
    """The file `name` of an annotation, below a folder. Raises `Unusable` for a path outside of it."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name:
        raise Unusable("annotation of a file outside of the folder")
    return folder / name


def read_text(path: Path) -> str:
    """Reads an annotation file as UTF-8, without a byte order mark.

    Raises `ValueError`, one line, where it cannot be read or is larger than the limit.
    """
    try:
        return untrusted.read_bytes(path, MOST_TEXT).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error


def read_lines(path: Path) -> list[str]:
    """The lines of an annotation file. Raises `ValueError`, one line, as `read_text`, and for too many lines."""
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > _MOST_LINES:
        raise ValueError(f"{path} has more than {_MOST_LINES:,} lines: split the file")
    return text.removesuffix("\n").split("\n") if text else []


def _fault(entry: Path) -> str | None:
    """The fault of a built data set that a quick check finds; sets of older versions have no checksums."""
    if files.is_sealed(entry) and (fault := files.damage(entry, quick=True)):
        return fault
    for path in entry.glob("*.json"):
        try:
            json.loads(path.read_text())
        except (OSError, ValueError, RecursionError) as error:
            return f"{path.name} cannot be read: {error}"
    return None if (entry / _TFDS_INFO).is_file() else f"{_TFDS_INFO} is missing"


@functools.cache
def _code() -> bytes:
    """A digest of the code that reads data sets, so that two versions of it share no cache entry."""
    package = Path(__file__).parents[2]
    digest = hashlib.sha256(importlib.metadata.version("lgan_jax").encode())
    folders = (package, package / "media", package / "data", package / "data" / "builders")
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def listing_key(root: Path, listed: Iterable[Path]) -> str:
    """A key that changes when a file below `root` is added, removed, resized or written, or this code changes."""
    digest = hashlib.sha256(_code())
    for path in sorted(listed):
        if path.exists():
            stat = path.stat()
            line = f"{path.relative_to(root).as_posix()}\0{stat.st_size}\0{stat.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def in_threads(function: Callable[[Given], Result], items: Iterable[Given]) -> Iterator[Result]:
    """Yields `function(item)` in order, computed by one thread per core, a bounded number ahead."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for chunk in chunks(items, _CHUNK):
            yield from pool.map(function, chunk)


def chunks(items: Iterable[Given], size: int) -> Iterator[list[Given]]:
    """Lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _digest(digest, split: str, record: Record) -> None:
    for name in sorted(record):
        value = record[name]
        digest.update(f"{split}\0{name}\0".encode())
        digest.update(value if isinstance(value, bytes) else np.asarray(value).tobytes())
