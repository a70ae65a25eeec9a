"""Opens data sets of faces: builds each into the cache once, and mixes several."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from lgan_jax import cache as caches
from lgan_jax.core import FaceInfo
from lgan_jax.data import builders, mixture, partners, synthetic
from lgan_jax.data.builders import base, generated
from lgan_jax.data.builders.celebv import PREPARED
from lgan_jax.data.builders.emotionet import EVERYBODY
from lgan_jax.data.dataset import BUILT_IN, BUILT_IN_SCHEMES, FaceData, Settings, Split
from lgan_jax.data.split import SPLITS, TRAIN
from lgan_jax.landmarks import Scheme, scheme, scheme_of_count
from lgan_jax.media.files import given

_CELEBV = ("Donald_Trump", "Emmanuel_Macron", "Jack_Ma", "Kathleen", "Theresa_May")
_POSED = {"ck_plus": (builders.CKPlus, "CK+"), "oulu_casia": (builders.OuluCASIA, "Oulu-CASIA")}


@dataclasses.dataclass(frozen=True)
class _Source:
    """A folder or the built-in faces, not built yet.

    Attributes:
      builder: what reads it.
      name: name in reports.
      points: indices of the landmarks to select, in order; None for all.
      drawn: settings of the built-in faces; None for a folder.
    """

    builder: base.FaceBuilder
    name: str
    points: np.ndarray | None = None
    drawn: synthetic.Settings | None = None

    @property
    def scheme(self) -> Scheme:
        """Scheme of the selected landmarks."""
        return scheme(self.builder.scheme) if self.points is None else scheme_of_count(len(self.points))


def open_faces(settings: Settings, check: Callable[[FaceInfo], None] = lambda _: None) -> FaceData:
    """Opens a data set; builds it into the cache first if it is missing or its folder has changed.

    Before the build, which may take long, `check` is called with the known facts (all but the number of images); it may
    raise.

    Raises:
      FileNotFoundError: a folder does not exist.
      ValueError: a folder has another layout, nothing usable, or too little of one person; folders of a mixture have
        different landmarks, or a person of the same name; or a cached set is damaged.
      OSError: the cache cannot be written.
    """
    sources = _sources(settings, caches.folder(settings.cache))
    identities = mixture.identities([(source.name, source.builder.identities) for source in sources])
    if not all(source.builder.is_built for source in sources):
        check(FaceInfo(sources[0].scheme, settings.size, identities))
    opened = [_opened(source, settings) for source in sources]
    return opened[0] if len(opened) == 1 else mixture.mixed(opened, settings.shares)


def _sources(settings: Settings, cache: Path) -> list[_Source]:
    """The sources in the order of `dir`. Raises `ValueError` where their landmarks differ."""
    found = {
        folder: _Source(*_reader(settings, given(folder), cache)) for folder in settings.folders if folder != BUILT_IN
    }
    schemes = {source.scheme.name: source.name for source in found.values()}
    if len(schemes) > 1:
        (one, first), (other, second) = list(schemes.items())[:2]
        raise ValueError(f"{first} has the landmarks {one} and {second} has {other}: a run needs one scheme")
    if BUILT_IN in settings.folders:
        name = next(iter(schemes), settings.scheme)
        builder = builders.Synthetic(settings.built_in, settings.size, cache)
        found[BUILT_IN] = _Source(builder, "built-in faces", BUILT_IN_SCHEMES[name], settings.built_in)
    return [found[folder] for folder in settings.folders]


def _opened(source: _Source, settings: Settings) -> FaceData:
    """One source as a data set, built first if missing."""
    stored = _built(source.builder, caches.folder(settings.cache))
    about, drawn = stored.info.metadata, source.drawn is not None
    info = FaceInfo(
        scheme=source.scheme,
        size=settings.size,
        identities=tuple(about["identities"]),
        images=len(about["identity"][TRAIN]),
    )
    contents = source.builder.key if drawn else about["fingerprint"]
    pairs = _pairs(stored, drawn, info, settings.pairs)
    return FaceData(
        name=source.name,
        built_in=drawn,
        info=info,
        fingerprint=hashlib.sha256(repr((contents, info.scheme.name, info.size)).encode()).hexdigest()[:16],
        notes=_notes(stored),
        **{split: _split(stored, split, info, source.points, pairs) for split in SPLITS},
        drawn=source.drawn,
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
    builder = builders.CelebV(root, cache, settings.split, settings.held_out_subjects)
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


def _pairs(
    stored: tfds.core.DatasetBuilder, drawn: bool, info: FaceInfo, ways: Sequence[partners.Way]
) -> Callable[[Split], np.ndarray] | None:
    """The function that computes the pairs of a split: stored pairs of built-in faces, or pairs that are found."""
    if drawn:
        return partners.in_turns if stored.info.metadata["pairs"] else None
    return None if info.identities == (EVERYBODY,) else functools.partial(partners.found, scheme=info.scheme, ways=ways)


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
