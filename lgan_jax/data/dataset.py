"""Data sets of faces: settings, and random access to the records of the three splits."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, SupportsIndex

import numpy as np
from jaxtyping import Int

from lgan_jax.core import FaceInfo
from lgan_jax.data import builders, synthetic
from lgan_jax.data.partners import Way
from lgan_jax.data.split import CALLED, SPLITS, TRAIN, VALIDATION, By, HeldOut
from lgan_jax.landmarks import IBUG68_TO_INNER49, WFLW98_TO_IBUG68
from lgan_jax.media import images
from lgan_jax.media.files import given

MEMORY = 2**30  # bytes of decoded images that a split caches; further records are decoded at every access
_ADVICE = {  # how to get an array that a data set lacks
    "action_units": ": repeat the command that prepared the folder (lgan_jax.data.prepare adds them; to single photos "
    "with --action-units blendshapes), or give a folder with OpenFace's tables and --config.data.name=emotionet",
    "landmarks": ": give OpenFace's tables with x_0 to y_67 in pixels of these images, or another folder",
    "expression": ": give CK+ or Oulu-CASIA, or a folder that lgan_jax.data.prepare wrote, with "
    "--config.data.name=ck_plus or oulu_casia",
}
BUILT_IN = "built_in"  # in `dir`, the built-in faces
LEAST_SHARE = 0.001
BUILT_IN_SCHEMES = {  # indices of WFLW's points; None for all
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
      dir: the folder, or several, with commas between them; "built_in", or empty, for the built-in faces.
      shares: share of each folder of several in the training examples, which sum to 1; empty: in proportion to what
        each has.
      scheme: landmarks of the built-in faces, "wflw98", "ibug68" or "inner49"; a folder's follow from its files, and
        built-in faces beside it have the same.
      split: of folders in CelebV's layout and of prepared ones: "time", blocks of each person's frames; "subject",
        whole people; "auto", by subject where there are two people or more, most with fewer than ten frames.
        "ck_plus" and "oulu_casia" split by subject.
      held_out_subjects: subjects of the validation and of the test split, where the split is by subject.
      pairs: ways in which a folder's pairs of images of a person are found, for the phases that need them: "pose",
        frames of a recording with the same pose and different action units; "expression", images with different labels;
        "action_units", images with different action units in any pose.
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
    shares: tuple[float, ...] = ()
    scheme: str = "wflw98"
    split: By = "auto"
    held_out_subjects: HeldOut = dataclasses.field(default_factory=HeldOut)
    pairs: tuple[Way, ...] = ("pose", "expression")
    crops: builders.Crops = "box"
    confidence: float = 0.8
    cache: str = ""
    built_in: synthetic.Settings = dataclasses.field(default_factory=synthetic.Settings)

    def __post_init__(self):
        if self.size < 16:
            raise ValueError(f"size is {self.size} pixels; it must be at least 16")
        if self.scheme not in BUILT_IN_SCHEMES:
            raise ValueError(f"scheme is {self.scheme!r}; it must be one of {', '.join(BUILT_IN_SCHEMES)}")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence is {self.confidence}; it must be between 0 and 1")
        if not self.pairs:
            raise ValueError('pairs is empty; name one way or more, as ("pose", "expression")')
        self._check_folders()

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that `dir` names, `BUILT_IN` for the built-in faces; a folder may have commas in its name."""
        if not self.dir:
            return (BUILT_IN,)
        return (self.dir,) if given(self.dir).exists() else tuple(part.strip() for part in self.dir.split(","))

    def _check_folders(self) -> None:
        """Raises `ValueError` for an empty or repeated folder, and for shares that are none."""
        folders, shares = self.folders, self.shares
        if "" in folders:
            raise ValueError(f"dir is {self.dir!r}, and a name between its commas is empty")
        places = [BUILT_IN if folder == BUILT_IN else given(folder).resolve() for folder in folders]
        if twice := [folder for i, folder in enumerate(folders) if places[i] in places[:i]]:
            raise ValueError(f"dir names {twice[0]} twice; set shares to see a folder more often")
        if not shares:
            return
        if len(folders) < 2 or len(shares) != len(folders):
            raise ValueError(
                f"shares has {len(shares)} numbers, and dir names {len(folders)} folders: give one for each"
            )
        if wrong := [share for share in shares if not LEAST_SHARE <= share < 1]:
            raise ValueError(f"shares has {wrong[0]}; a share is at least {LEAST_SHARE} and below 1")
        if not math.isclose(math.fsum(shares), 1, abs_tol=0.01):
            raise ValueError(f"shares are {', '.join(map(str, shares))}, which sum to {math.fsum(shares):g}, not to 1")


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
      shares: share of training examples and the records of each part; empty where they are in proportion.
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
        self.shares: tuple[tuple[float, np.ndarray], ...] = ()
        self._pairs = pairs
        self.source = source
        self._size = size
        self._points = points
        self._landmarks = landmarks
        self._cache: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.identity)

    @functools.cached_property
    def pairs(self) -> Int[np.ndarray, "pairs 2"]:
        """Indices of two records of one person with different expressions, found as `Settings.pairs` says.

        Identity by identity; empty where the faces have no pairs.
        """
        return np.zeros((0, 2), int) if self._pairs is None else self._pairs(self)

    def without_image(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        """Record `index` without its image, which is not decoded."""
        return self._arrays({k: v for k, v in self.source[range(len(self))[index]].items() if k != "image"})

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
        record = dict(self.source[index])
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
      parts: the data sets of which this is a mixture; empty where it is none.
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
    parts: tuple[FaceData, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of records in each split."""
        return {split: len(getattr(self, split)) for split in SPLITS}

    def counted(self, called: str = "images") -> str:
        """`counts` as text: "1,000 training, 100 validation and 100 test images"."""
        *first, last = (f"{count:,} {CALLED[split]}" for split, count in self.counts.items())
        return f"{', '.join(first)} and {last} {called}"

    def counted_people(self) -> str:
        """Number of identities in each split as text: "66 training, 10 validation and 6 test people"."""
        *first, last = (f"{len(np.unique(getattr(self, split).identity))} {CALLED[split]}" for split in SPLITS)
        return f"{', '.join(first)} and {last} people"

    def has(self, key: str) -> bool:
        """Whether records have an array `key`."""
        return key == "index" or key in self.train[0]

    def require(self, keys: Sequence[str]) -> None:
        """Raises `ValueError`, one line, where records lack one of `keys`."""
        for key in keys:
            for each in self.parts or (self,):
                if not each.has(key):
                    what = key.replace("_", " ")
                    raise ValueError(f"{each.name} has no {what}, and this method needs them{_ADVICE.get(key, '')}")

    def require_everybody(self) -> None:
        """Raises `ValueError`, one line, unless each identity is in the training and in the validation split."""
        for name in (TRAIN, VALIDATION):
            if absent := sorted(set(range(len(self.info.identities))) - set(getattr(self, name).identity.tolist())):
                raise ValueError(
                    f"{self.name}: {self.info.identities[absent[0]]} is not in the {CALLED[name]} split, and this "
                    "method learns a network for each person: give a folder with recordings of each person, or "
                    "--config.data.split=time where each has three images"
                )

    def require_subjects(self) -> None:
        """Raises `ValueError`, one line, unless the split is by subject with two expressions of a person in each."""
        self.require(["expression"])
        if any((getattr(self, name).expression < 0).any() for name in SPLITS):
            raise ValueError(f"{self.name}: some images have no expression: set config.data.name=ck_plus")
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
