"""One edit from its options to the written file and the lines that are printed about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

import lgan_jax
from lgan_jax import action_units, cli, experiment, locks
from lgan_jax.apps import device, output, provenance
from lgan_jax.apps.driving import FROM_IBUG68, Locator
from lgan_jax.apps.express import photo as photos
from lgan_jax.apps.express import wanted as words
from lgan_jax.apps.express.photo import Photo
from lgan_jax.apps.express.wanted import Units, Wanted
from lgan_jax.core import FaceInfo
from lgan_jax.data import kept
from lgan_jax.data.align import TEMPLATE
from lgan_jax.faces import Faces
from lgan_jax.media.image_grid import GridRow, image_grid
from lgan_jax.media.images import to_bytes
from lgan_jax.media.photos import TRANSPARENT, with_alpha
from lgan_jax.methods.dftnet.model import ExpressionEditor
from lgan_jax.methods.expression.model import ExpressionSynthesizer
from lgan_jax.protocols import GuidedSynthesizer

Say = Callable[[str], None]

_SHOWN = 0.05  # intensity from which a unit is named
_OF_UNITS = ("au", "like", "sweep", "interpolate")  # options of DFT-Net runs alone


@runtime_checkable
class Model(Protocol):
    """What is needed of a trained DFT-Net; see `ExpressionEditor`."""

    info: FaceInfo

    def edit(self, image: Any, action_units: Any) -> Any:
        """Faces `(n, size, size, 3)` in [-1, 1] with action units `(n, 17)`."""

    def estimate(self, image: Any) -> np.ndarray:
        """The action units `(n, 17)` of faces."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What is asked for; the command's flags have the same names, and explain them."""

    workdir: Path
    image: Path
    out: Path | None = None
    expression: str | None = None
    landmarks_from: Path | None = None
    au: Sequence[str] = ()
    like: Path | None = None
    sweep: int | None = None
    interpolate: Sequence[float] | None = None
    face_only: bool = False
    visible_mark: bool = True
    overwrite: bool = False

    def __post_init__(self) -> None:
        wanted = self.wanted  # raises for what cannot be meant
        goal = bool(self.au or self.expression or self.like)
        if not goal and self.sweep is None and self.landmarks_from is None:
            raise ValueError("nothing is asked for: give --expression, --landmarks-from, --au, --like or --sweep")
        if self.expression and self.like:
            raise ValueError("--expression and --like both set all action units: give one of them")
        if self.sweep is not None:
            words.check_unit(self.sweep, f"--sweep {self.sweep}")
            if self.sweep in wanted.changes:
                raise ValueError(f"--sweep {self.sweep} moves this unit: leave it out of --au")
        if self.interpolate is not None:
            self._check_interpolation(goal)

    def _check_interpolation(self, goal: bool) -> None:
        if self.sweep is not None:
            raise ValueError("--sweep and --interpolate each make a series: give one of them")
        if not goal:
            raise ValueError("--interpolate needs --au, --expression or --like, which say where the way leads")
        for level in self.interpolate or ():
            words.check_intensity(level, "--interpolate")
        if self.moving and len(self.interpolate or ()) < 2:
            raise ValueError("--interpolate needs two places or more for a video")

    def check_units(self) -> None:
        """Raises `ValueError` for what a DFT-Net run has no use for."""
        if self.landmarks_from is not None:
            raise ValueError(f"--landmarks-from: {self.workdir} is a DFT-Net run, which takes --like in its place")

    def check_label(self) -> None:
        """Raises `ValueError` for what a run of landmark and expression guided synthesis has no use for, or lacks."""
        this = f"{self.workdir} is a run of landmark and expression guided synthesis"
        for name in _OF_UNITS:
            if getattr(self, name) not in (None, (), []):
                raise ValueError(f"--{name} is for DFT-Net runs, and {this}")
        if self.expression is None or self.landmarks_from is None:
            raise ValueError(f"{this}: it needs both --landmarks-from and --expression")
        words.label(self.expression)

    @property
    def wanted(self) -> Wanted:
        """What --au and --expression say."""
        return Wanted.read(self.au, self.expression)

    @property
    def series(self) -> bool:
        """Whether more than one face is made."""
        return self.sweep is not None or self.interpolate is not None

    @property
    def place(self) -> Path:
        """Where to write."""
        return self.out or Path(f"{self.image.stem}-express.png")

    @property
    def moving(self) -> bool:
        """Whether a video is written."""
        return self.place.suffix.lower() in output.VIDEO_OUT


def express(options: Options) -> int:
    """Does what `options` ask for; returns the exit status. Raises a one-line error for what a user can mend."""
    kinds = (".png", *output.VIDEO_OUT) if options.series else (".png",)
    others = (("--like", options.like), ("--landmarks-from", options.landmarks_from))
    for flag, path in (("--image", options.image), *others):
        if path is not None:
            output.check(options.place, photos.open_photo(path, flag), kinds)
    with locks.held(options.place, f"--out {options.place}"):
        return _express(options)


def _express(options: Options) -> int:
    print(device.line(), flush=True)
    model = load(options.workdir)
    labelled = isinstance(model, ExpressionSynthesizer)
    (options.check_label if labelled else options.check_units)()
    faces = Faces()
    locator = Locator(known(options.workdir), model.info, faces, follow=False)
    locator.load()
    return (run_labelled if labelled else run)(options, model, locator, faces.measure)


def load(workdir: Path) -> ExpressionEditor | ExpressionSynthesizer:
    """The model of a run. Raises `ValueError` where it is another method's."""
    model = lgan_jax.load(workdir)
    if not isinstance(model, ExpressionEditor | ExpressionSynthesizer):
        raise ValueError(
            f"--workdir {workdir} is a run neither of DFT-Net nor of landmark and expression guided synthesis: it "
            "cannot edit expressions"
        )
    return model


def known(workdir: Path) -> Mapping[str, np.ndarray]:
    """The landmarks that a run was trained on; of data without landmarks, the mean face in the frame of `prepare`."""
    if kept.is_there(workdir):
        everybody = experiment.training_landmarks(workdir)
        return {name: points for name, points in everybody.items() if len(points)}  # none of people who do not train
    return {"mean face": TEMPLATE[None].astype(np.float32)}


def run(
    options: Options,
    model: Model,
    locator: Locator,
    find: Callable[[np.ndarray], np.ndarray | None],
    say: Say = print,
) -> int:
    """Edits with a DFT-Net and a locator that are ready, and writes the result. See `express`.

    `find` gives the landmarks of a made face, or None; they say how far the outline moved.
    """
    photo = _photo(options, locator, say)
    own = model.estimate(photos.in_range(photo))[0]
    like = None
    if options.like is not None:
        other = _other(options.like, locator, "--like", say)
        like = model.estimate(photos.in_range(other))[0]
    units = options.wanted.units(own, like)
    say(f"estimated of {options.image.name}: {listed(own)}")
    if options.sweep is None:
        say(f"wanted: {listed(units)}")
    levels, steps = _steps(options, own, units)
    each = [photos.enlarged(made, photo) for made in photos.edited(model, photo, steps)]
    _write(options, photo, each, levels, find, say)
    say(f"{options.place} is written")
    return 0


def run_labelled(
    options: Options,
    model: GuidedSynthesizer,
    locator: Locator,
    find: Callable[[np.ndarray], np.ndarray | None],
    say: Say = print,
) -> int:
    """As `run`, with a synthesizer: the other face's landmarks, aligned as the face itself, and an expression's label.

    Raises `ValueError` where dlib's points do not make up the run's scheme.
    """
    scheme = model.info.scheme.name
    if scheme not in FROM_IBUG68:
        raise ValueError(f"--landmarks-from: dlib has no {scheme} points, which {options.workdir} needs")
    photo = _photo(options, locator, say)
    other = _other(options.landmarks_from, locator, "--landmarks-from", say)
    say(f"wanted: {options.expression}, with the landmarks of {options.landmarks_from.name}")
    landmarks = other.face.ibug68[FROM_IBUG68[scheme]]
    made = model.synthesize(photos.in_range(photo), landmarks[None], np.array([words.label(options.expression)]))
    _write(options, photo, list(to_bytes(made)), np.ones(1), find, say)
    say(f"{options.place} is written")
    return 0


def _photo(options: Options, locator: Locator, say: Say) -> Photo:
    """The photo to edit; what a user should know of it is said."""
    photo = photos.read(options.image, locator, "--image")
    if line := photos.which(photo, options.image.name):
        say(line)
    if photo.alpha is not None and (options.moving or options.series):
        say(f"{options.image.name}: {TRANSPARENT}")
    return photo


def _other(path: Path, locator: Locator, flag: str, say: Say) -> Photo:
    """The photo from which something is taken over."""
    other = photos.read(path, locator, flag)
    if line := photos.which(other, path.name):
        say(line.replace("is edited", "is taken"))
    return other


def listed(units: Units) -> str:
    """The units that can be seen, with their intensities."""
    shown = [f"{n} at {value:.2f}" for n, value in zip(action_units.NUMBERS, units.tolist()) if value >= _SHOWN]
    return ", ".join(shown) or "a neutral face"


def _steps(options: Options, own: Units, units: Units) -> tuple[np.ndarray, np.ndarray]:
    if options.sweep is not None:
        return words.sweep(units, options.sweep, options.moving)
    if options.interpolate is not None:
        return words.interpolated(own, units, options.interpolate, options.moving)
    return np.ones(1), units[None]


def _write(
    options: Options,
    photo: Photo,
    faces: Sequence[np.ndarray],
    levels: np.ndarray,
    find: Callable[[np.ndarray], np.ndarray | None],
    say: Say,
) -> None:
    made = output.open_output(
        options.place, photos.open_photo(options.image, "--image"), options.workdir.resolve().name
    )
    try:
        if options.series and not options.moving:
            made.write(_sheet(options, photo, faces, levels), 0)
        else:
            for time, face in enumerate(faces):
                picture = face if options.face_only else photos.put_back(photo, face, find(face))
                if photo.alpha is not None and not options.face_only and not options.moving:
                    picture = with_alpha(picture, photo.alpha)
                made.write(provenance.mark(picture) if options.moving and options.visible_mark else picture, time)
        made.finish(complete=True)
        if line := cli.keep_earlier(options.place, options.overwrite):
            say(line)
        made.commit(options.place)
    finally:
        made.discard()


def _sheet(options: Options, photo: Photo, faces: Sequence[np.ndarray], levels: np.ndarray) -> np.ndarray:
    """The face as it is, and all steps beside it."""
    name = "" if options.sweep is None else f"AU {options.sweep} at "
    cells = [photos.original(photo), *faces]
    return image_grid([GridRow("", cells)], ["source", *(f"{name}{level:g}" for level in levels)], cells[0].shape[0])
