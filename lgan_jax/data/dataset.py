"""Opens a data set of faces: builds it into the cache once, then gives random access to its records."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, SupportsIndex

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Int

from lgan_jax import cache as caches
from lgan_jax.core import FaceInfo
from lgan_jax.data import builders, partners, synthetic
from lgan_jax.data.builders import base, generated
from lgan_jax.data.builders.celebv import PREPARED
from lgan_jax.data.builders.emotionet import EVERYBODY
from lgan_jax.data.split import CALLED, SPLITS, TRAIN, HeldOut
from lgan_jax.landmarks import IBUG68_TO_INNER49, WFLW98_TO_IBUG68, scheme, scheme_of_count
from lgan_jax.media import images
from lgan_jax.media.files import given

MEMORY = 2**30  # bytes of decoded images that a split caches; further records are decoded at every access
_CELEBV = ("Donald_Trump", "Emmanuel_Macron", "Jack_Ma", "Kathleen", "Theresa_May")
_ADVICE = {  # how to get an array that a data set lacks
    "action_units": ": repeat the command that prepared the folder (lgan_jax.data.prepare adds them), or give a folder "
    "with OpenFace's tables and --config.data.name=emotionet",
    "landmarks": ": give OpenFace's tables with x_0 to y_67 in pixels of these images, or another folder",
    "expression": ": give CK+ or Oulu-CASIA, or a folder that lgan_jax.data.prepare wrote, with "
    "--config.data.name=ck_plus or oulu_casia",
}
_POSED = {"ck_plus": (builders.CKPlus, "CK+"), "oulu_casia": (builders.OuluCASIA, "Oulu-CASIA")}
_BUILT_IN_SCHEMES = {
    "wflw98": None,
    "ibug68": WFLW98_TO_IBUG68,
    "inner49": WFLW98_TO_IBUG68[IBUG68_TO_INNER49],
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a data set.

    Attributes:
      name: layout of the folder `dir`; "celeba" takes any folder of photos. For all of them, `dir` may be a folder that
        `apps.synthesize` wrote. With "emotionet", "ck_plus", "oulu_casia" and "celeba" it may also be one that
        `data.prepare` wrote; "ck_plus" and "oulu_casia" then estimate expressions from its action units.
      size: side in pixels to which images are resized.
      dir: the folder; empty for the built-in faces.
      scheme: landmarks of the built-in faces, "wflw98", "ibug68" or "inner49"; a folder's follow from its files.
      held_out_subjects: subjects of the validation and of the test split ("ck_plus" and "oulu_casia" only).
      crops: crop of photos: dlib's face "box", OpenCV's "cascade" box, "aligned", or "ffhq", the alignment of FFHQ
        ("celeba" only).
      confidence: rows of OpenFace's tables with a lower confidence are left out ("emotionet" only), in [0, 1].
      cache: folder for the built data sets, which may be deleted at any time; empty for `$LGAN_JAX_CACHE`, or
        `~/.cache/lgan_jax` where that is not set.
      built_in: settings of the built-in synthetic faces.
    """

    name: Literal["celebv", "wflw", "emotionet", "ck_plus", "oulu_casia", "celeba"]
    size: int
    dir: str = ""
    scheme: str = "wflw98"
    held_out_subjects: HeldOut = dataclasses.field(default_factory=HeldOut)
    crops: builders.Crops = "box"
    confidence: float = 0.8
    cache: str = ""
    built_in: synthetic.Settings = dataclasses.field(default_factory=synthetic.Settings)

    def __post_init__(self):
        if self.size < 16:
            raise ValueError(f"size is {self.size} pixels; it must be at least 16")
        if self.scheme not in _BUILT_IN_SCHEMES:
            raise ValueError(f"scheme is {self.scheme!r}; it must be one of {', '.join(_BUILT_IN_SCHEMES)}")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence is {self.confidence}; it must be between 0 and 1")


class Split:
    """Random access to the records of one split.

    `split[i]` is a dict of `image` uint8 `(size, size, 3)` RGB, `identity` int32, and, depending on the data set:
    `landmarks` float32 `(N, 2)` in [0, 1] (all but some of OpenFace's folders); `action_units` float32 `(17,)` in
    [0, 1] (built-in faces, OpenFace's and prepared folders); `expression` int32 (built-in faces, CK+, Oulu-CASIA, and
    estimated in prepared folders); built-in faces `pose` float32 `(3,)`
    (yaw, pitch, roll) and `gaze` `(2,)` (yaw, pitch) in degrees; WFLW `attributes` bool `(6,)`. The arrays are
    read-only. Records are in the order of the recording, identity by identity (built-in faces: alternating).

    Thread-safe for reading; can be pickled (the cache of decoded images is dropped).

    Args:
      source: records with `image` as a file's bytes, as the builders store them.
      identity: the identity of each record.
      size: side in pixels to which images are resized.
      points: indices of the landmarks to select, in order; None for all.
      landmarks: whether the records have landmarks.
      pairs: computes the record indices of each pair, `(pairs, 2)`, on first access; None for faces without pairs.
      expression: the expression of each record; None where the records have none.

    Attributes:
      identity: `(n,)` int32, the identity of each record.
      expression: `(n,)` int32, or None.
    """

    def __init__(
        self,
        source: Sequence,
        identity: Int[np.ndarray, " n"],
        size: int,
        points: Int[np.ndarray, " kept"] | None = None,
        landmarks: bool = True,
        pairs: Callable[[Split], Int[np.ndarray, "pairs 2"]] | None = None,
        expression: Int[np.ndarray, " n"] | None = None,
    ):
        self.identity = identity.astype(np.int32)
        self.expression = None if expression is None else expression.astype(np.int32)
        self._pairs = pairs
        self._source = source
        self._size = size
        self._points = points
        self._landmarks = landmarks
        self._cache: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.identity)

    @functools.cached_property
    def pairs(self) -> Int[np.ndarray, "pairs 2"]:
        """Indices of two records of one person with the same pose and light and different expressions.

        Identity by identity; empty where the faces have no pairs.
        """
        return np.zeros((0, 2), int) if self._pairs is None else self._pairs(self)

    def without_image(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        """Record `index` without its image, which is not decoded."""
        return self._arrays({k: v for k, v in self._source[range(len(self))[index]].items() if k != "image"})

    def __getitem__(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        index = range(len(self))[index]  # IndexError beyond the end; counts from the end for negative ones
        record = self._cache.get(index)
        if record is None:
            record = self._read(index)
            if len(self._cache) * record["image"].nbytes < MEMORY:
                self._cache[index] = record
        return dict(record)

    def __getstate__(self):
        return self.__dict__ | {"_cache": {}}

    def _read(self, index: int) -> dict[str, np.ndarray]:
        record = dict(self._source[index])
        record["image"] = images.resized(images.decode(record["image"]), self._size)
        return self._arrays(record)

    def _arrays(self, record: dict[str, Any]) -> dict[str, np.ndarray]:
        """A record as read-only arrays, with the selected landmarks."""
        if not self._landmarks:
            del record["landmarks"]
        if self._points is not None:
            record["landmarks"] = record["landmarks"][self._points]
        record = {name: np.asarray(value) for name, value in record.items()}
        for name in ("identity", "expression"):
            if name in record:
                record[name] = record[name].astype(np.int32)
        for value in record.values():
            value.setflags(write=False)
        return record


@dataclasses.dataclass(frozen=True)
class FaceData:
    """A data set of faces: its training, validation and test split.

    Attributes:
      name: name in reports: "CelebV", "WFLW", "CK+", "Oulu-CASIA", "CelebA", "built-in faces", or a kind and the name
        of the folder: "prepared: …", "OpenFace: …", "photos: …", "made: …", "folder: …".
      built_in: whether they are the library's synthetic faces.
      info: landmark scheme, size, identities.
      fingerprint: changes when any record changes; the same on every machine.
      notes: notes for the user, such as how many images were skipped and why; one line each.
      train, validation, test: the records of the three splits.
      drawn: settings that the built-in faces were rendered from: image i of a split is `synthetic.sample(drawn, split,
        i)`; None for a folder's.
    """

    name: str
    built_in: bool
    info: FaceInfo
    fingerprint: str
    notes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    drawn: synthetic.Settings | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Number of records in each split."""
        return {split: len(getattr(self, split)) for split in SPLITS}

    def counted(self, called: str = "images") -> str:
        """`counts` as text: "1,000 training, 100 validation and 100 test images"."""
        *first, last = (f"{count:,} {CALLED[split]}" for split, count in self.counts.items())
        return f"{', '.join(first)} and {last} {called}"

    def has(self, key: str) -> bool:
        """Whether records have an array `key`."""
        return key == "index" or key in self.train[0]

    def require(self, keys: Sequence[str]) -> None:
        """Raises `ValueError`, one line, where records lack one of `keys`."""
        for key in keys:
            if not self.has(key):
                what = key.replace("_", " ")
                raise ValueError(f"{self.name} has no {what}, and this method needs them{_ADVICE.get(key, '')}")

    def require_subjects(self) -> None:
        """Raises `ValueError`, one line, unless the split is by subject with two expressions of a person in each."""
        self.require(["expression"])
        held_out = set(self.validation.identity) | set(self.test.identity)
        if both := sorted(set(self.train.identity) & held_out):
            advice = ": set config.data.built_in.test_identities" if self.built_in else ""
            raise ValueError(
                f"{self.name}: {self.info.identities[both[0]]} is in the training and in another split, and this "
                f"method needs a split by subject{advice}"
            )
        for name in SPLITS:
            split = getattr(self, name)
            shown = set(zip(split.identity.tolist(), split.expression.tolist()))
            if len(shown) == len({who for who, _ in shown}):
                raise ValueError(
                    f"{self.name}: no person in the {CALLED[name]} split has images with two different expressions: "
                    "add images"
                )


def open_faces(settings: Settings, check: Callable[[FaceInfo], None] = lambda _: None) -> FaceData:
    """Opens a data set; builds it into the cache first if it is missing or its folder has changed.

    Before the build, which may take long, `check` is called with the known facts (all but the number of images); it may
    raise.

    Raises:
      FileNotFoundError: the folder does not exist.
      ValueError: the folder has another layout, nothing usable, or too little of one person; or the cached set is
        damaged.
      OSError: the cache cannot be written.
    """
    cache = caches.folder(settings.cache)
    if not settings.dir:
        builder, name = builders.Synthetic(settings.built_in, settings.size, cache), "built-in faces"
        points = _BUILT_IN_SCHEMES[settings.scheme]
    else:
        points = None
        builder, name = _reader(settings, given(settings.dir), cache)
    if not builder.is_built:
        known = scheme(builder.scheme) if points is None else scheme_of_count(len(points))
        check(FaceInfo(known, settings.size, builder.identities))
    stored = _built(builder, cache)
    about = stored.info.metadata
    info = FaceInfo(
        scheme=scheme(about["scheme"]) if points is None else scheme_of_count(len(points)),
        size=settings.size,
        identities=tuple(about["identities"]),
        images=len(about["identity"][TRAIN]),
    )
    contents = builder.key if not settings.dir else about["fingerprint"]
    pairs = _pairs(stored, not settings.dir, info)
    return FaceData(
        name=name,
        built_in=not settings.dir,
        info=info,
        fingerprint=hashlib.sha256(repr((contents, info.scheme.name, info.size)).encode()).hexdigest()[:16],
        notes=_notes(stored),
        **{split: _split(stored, split, info, points, pairs) for split in SPLITS},
        drawn=None if settings.dir else settings.built_in,
    )


def _reader(settings: Settings, root: Path, cache: Path) -> tuple[base.FaceBuilder, str]:
    """The builder that reads a folder, and the data set's name in reports."""
    prepared = (root / PREPARED).exists()
    if (root / generated.RECORD).exists():
        return builders.Generated(root), f"made: {root.resolve().name}"
    if settings.name == "wflw":
        return builders.WFLW(root, cache), "WFLW"
    if settings.name == "celeba" and not prepared:
        builder = builders.CelebA(root, cache, settings.crops)
        return builder, "photos: " + root.resolve().name if builder.parts is None else "CelebA"
    if settings.name == "emotionet" and not prepared:
        return builders.EmotioNet(root, cache, settings.confidence), f"OpenFace: {root.resolve().name}"
    if settings.name in _POSED and prepared:
        return builders.Estimated(root, cache, settings.held_out_subjects), _folder_name(root, ())
    if settings.name in _POSED:
        posed, name = _POSED[settings.name]
        return posed(root, cache, settings.held_out_subjects), name
    builder = builders.CelebV(root, cache)
    return builder, _folder_name(root, builder.identities)


def _folder_name(root: Path, identities: tuple[str, ...]) -> str:
    if (root / PREPARED).exists():
        return f"prepared: {root.resolve().name}"
    return "CelebV" if identities == _CELEBV else f"folder: {root.resolve().name}"


def _built(builder: base.FaceBuilder, cache: Path) -> tfds.core.DatasetBuilder:
    """The stored data set, built first if missing.

    The result does not refer to the original folder, so it can be pickled.
    """
    try:
        builder.build()
    except OSError as error:
        raise OSError(
            f"the faces cannot be cached in {cache}: {error.strerror or error}; make room there, or set "
            f"config.data.cache or ${caches.VARIABLE} to another folder"
        ) from error
    return tfds.builder_from_directory(builder.data_dir)


def _notes(stored: tfds.core.DatasetBuilder) -> tuple[str, ...]:
    notes = stored.info.metadata.get("notes", [])
    lines = [f"skipped: {line}" for line in base.skipped_lines(stored.info.metadata["skipped"])]
    where = [f"list of all skipped records: {Path(stored.data_dir) / base.SKIPPED_FILE}"] if lines else []
    return (*notes, *lines, *where)


def _pairs(stored: tfds.core.DatasetBuilder, drawn: bool, info: FaceInfo) -> Callable[[Split], np.ndarray] | None:
    """The function that computes the pairs of a split: stored pairs of built-in faces, or pairs found in recordings."""
    if drawn:
        return partners.in_turns if stored.info.metadata["pairs"] else None
    return None if info.identities == (EVERYBODY,) else functools.partial(partners.found, scheme=info.scheme)


def _split(
    stored: tfds.core.DatasetBuilder,
    split: str,
    info: FaceInfo,
    points: np.ndarray | None,
    pairs: Callable[[Split], np.ndarray] | None,
) -> Split:
    source = stored.as_data_source(split=split, decoders={"image": tfds.decode.SkipDecoding()})
    try:
        source[len(source) - 1]
    except RuntimeError as error:  # array_record's, for files that are gone or cut off
        raise ValueError(f"the cached faces in {stored.data_dir} are damaged: delete this folder ({error})") from error
    about = stored.info.metadata
    identity = np.array(about["identity"][split], np.int32)
    labels = about.get("expression", {})
    return Split(
        source,
        identity,
        info.size,
        points,
        landmarks=about.get("landmarks", True),
        pairs=pairs,
        expression=np.array(labels[split], np.int32) if labels else None,
    )
