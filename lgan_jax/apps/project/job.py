"""A projection from its options to the folder that is written and the lines that are printed about it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float32

from lgan_jax import locks
from lgan_jax.apps import device, driving, video
from lgan_jax.apps.project import aligned, frames, networks, reports, wanted, writing
from lgan_jax.apps.project.aligned import Face, Framing
from lgan_jax.faces import Faces
from lgan_jax.inversion import Diverged
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.images import to_floats
from lgan_jax.methods.projection.losses import landmark_weights
from lgan_jax.methods.projection.model import SETTINGS
from lgan_jax.methods.projection.projector import Projector, Settings

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Options:
    """What is asked for; the command's flags have the same names, and explain them."""

    look: Path
    landmarks: Path
    out: Path
    workdir: Path | None = None
    network: Path | None = None
    fan: Path | None = None
    vgg: Path | None = None
    lpips: Path | None = None
    weight: Sequence[str] = ()
    look_weight: float = Settings.look
    landmark_weight: float | None = None
    prior: float | None = None
    candidates: int | None = None
    space: str = Settings.space
    steps: int = Settings.steps
    frame_steps: int = 100
    relative: bool = False
    neutral: str | None = None
    restarts: int = 1
    at_once: int = Settings.slots
    seed: int = 0
    visible_mark: bool = True

    def __post_init__(self) -> None:
        self._check_source()
        weights = self.weights  # raises for what cannot be meant, as `settings` do
        if self.workdir is None:
            landmark_weights(IBUG68, weights)
        if 0 < self.settings.candidates < self.restarts:
            raise ValueError(f"--restarts {self.restarts} needs as many --candidates, not {self.settings.candidates}")
        for name in ("restarts", "frame_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} is {getattr(self, name)}; it must be at least 1")
        if self.neutral is not None and not self.relative:
            raise ValueError("--neutral says what --relative starts from: give both")

    def _check_source(self) -> None:
        names = ("network", "fan", "vgg", "lpips")
        given = [f"--{name}" for name in names if getattr(self, name) is not None]
        if self.workdir is not None and given:
            raise ValueError(f"--workdir and {given[0]} exclude one another: give a run, or published networks")
        if self.workdir is None and (missing := [f"--{name}" for name in names[:3] if f"--{name}" not in given]):
            raise ValueError(f"give --workdir RUN, or --network, --fan and --vgg (missing: {', '.join(missing)})")

    @property
    def made_by(self) -> str:
        """What is said of what is made: the run or the network."""
        return self.workdir.resolve().name if self.workdir is not None else self.network.stem

    @property
    def weights(self) -> Mapping[str, float]:
        """What --weight says. Raises `ValueError` for what is no NAME=X."""
        weights = {}
        for text in self.weight:
            name, _, number = text.partition("=")
            try:
                weights[name.strip()] = float(number)
            except ValueError:
                raise ValueError(
                    f"--weight {text} must be a group of landmarks and a number, such as jaw=0.1"
                ) from None
        return weights

    def at_rest(self, moving: bool) -> Path | int | None:
        """What `--relative` starts from: a photo, or of a video the number of a frame, None to have it found.

        Raises `ValueError` for what --neutral cannot mean, or lacks, and `FileNotFoundError` without the photo.
        """
        if not self.relative:
            return None
        if moving:
            if self.neutral is not None and not self.neutral.isdecimal():
                raise ValueError(f"--neutral {self.neutral}: of a video it is the number of a frame, from 0 on")
            return None if self.neutral is None else int(self.neutral)
        if self.neutral is None:
            raise ValueError("--relative needs --neutral PHOTO: the person of --landmarks, at rest")
        aligned.check(Path(self.neutral), "--neutral")
        return Path(self.neutral)

    @property
    def settings(self) -> Settings:
        """How to search."""
        changes = {"landmarks": self.landmark_weight, "prior": self.prior, "candidates": self.candidates}
        changes = {name: value for name, value in changes.items() if value is not None}
        changes |= {"steps": self.steps, "every": max(1, math.ceil(self.steps / 100))}
        changes |= {"slots": self.at_once, "look": self.look_weight, "space": self.space}
        return dataclasses.replace(Settings() if self.workdir is None else SETTINGS, **changes)


def project(options: Options) -> int:
    """Does what `options` ask for; returns the exit status. Raises a one-line error for what a user can mend."""
    writing.check(options.out)
    moving = video.open_source(options.landmarks).kind == "video"
    if moving:
        aligned.check(options.look, "--look")
    else:
        paired(photos(options.look, "--look"), photos(options.landmarks, "--landmarks"))
    options.at_rest(moving)  # raises for what cannot be meant
    with locks.held(options.out, f"--out {options.out}"):
        return _project(options, moving)


def _project(options: Options, moving: bool) -> int:
    print(device.line(), flush=True)
    if options.workdir is not None:
        projector, known = networks.of_run(options.workdir, options.weights, options.settings)
        points = driving.FROM_IBUG68.get(projector.scheme.name)
        framing = Framing(Faces(), projector.generator.size, driving.alignment(known, projector.scheme), True, points)
    else:
        files = options.network, options.fan, options.vgg, options.lpips
        projector = networks.projector(*files, options.weights, options.settings)
        framing = Framing(Faces(), projector.generator.size)
    return (frames.run if moving else run)(options, projector, framing)


def run(options: Options, projector: Projector, framing: Framing, say: Say = print) -> int:
    """Projects with networks that are ready, and writes the results. See `project`."""
    pairs = read_pairs(options, projector, framing, say)
    looks, others = ([pair[i] for pair in pairs] for i in (0, 1))
    shifts = _shifts(options, looks, projector, framing)
    tracks = reports.Tracks(options.steps, len(pairs) * options.restarts)
    look, landmarks = to_floats(np.stack([face.crop for face in looks])), wanted.landmarks(others, projector, shifts)
    kept = np.arange(len(pairs))
    try:
        found = projector(look, landmarks, options.restarts, jax.random.key(options.seed), tracks.report)
    except Diverged as error:
        found, kept = error.found, np.setdiff1d(kept, error.rows)
    finally:
        tracks.close()
    _say_diverged(pairs, kept, say)
    ways = tracks.of_best(found.restart)
    shown = [wanted.shown(pairs[i], projector, None if shifts is None else shifts[i]) for i in kept]
    pairs, ways = ([each[i] for i in kept] for each in (pairs, ways))
    found = jax.tree.map(lambda rows: rows[kept], found)
    writing.write(options.out, pairs, shown, projector, found, ways, options)
    terms = "  ".join(f"{name} {np.mean(values):.3g}" for name, values in found.terms.items())
    say(f"{options.out} is written; mean loss {found.loss.mean():.3g}: {terms}")
    return 0


def photos(path: Path, flag: str) -> tuple[Path, ...]:
    """The photos at `path`, one or a folder of them. Raises `FileNotFoundError`, or `ValueError` for none."""
    source = video.open_source(path)
    if source.kind == "video":
        raise ValueError(f"{flag} {path} is a video; only --landmarks may be one")
    return source.files


def paired(looks: Sequence[Path], landmarks: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Each of the one with each of the other, in their order; a single one goes with all.

    Raises `ValueError` where they are not as many.
    """
    count = max(len(looks), len(landmarks))
    if {len(looks), len(landmarks)} - {1, count}:
        raise ValueError(f"--look has {len(looks)} photos and --landmarks {len(landmarks)}: as many are needed, or one")
    return [tuple(x[i if len(x) > 1 else 0] for x in (looks, landmarks)) for i in range(count)]


def read_pairs(options: Options, projector: Projector, framing: Framing, say: Say) -> list[tuple[Face, Face]]:
    """The aligned faces of each pair. Of several, those that cannot be used are said and left out.

    Raises `ValueError` where it is the only one, or none is left.
    """
    paths = paired(photos(options.look, "--look"), photos(options.landmarks, "--landmarks"))
    for path in dict.fromkeys((options.look, options.landmarks)):
        for note in video.open_source(path).notes:
            say(f"{path.name}: {note}")
    pairs = []
    for look, landmarks in paths:
        try:
            one, other = (
                aligned.read(path, flag, framing) for path, flag in ((look, "--look"), (landmarks, "--landmarks"))
            )
            aligned.check_landmarks(other, projector, f"--landmarks {landmarks}")
            if options.relative:
                aligned.check_landmarks(one, projector, f"--look {look}")
            pairs.append((one, other))
        except ValueError as error:
            if len(paths) == 1:
                raise
            say(f"left out: {error}")
    if not pairs:
        raise ValueError("no pair of photos is left")
    return pairs


def _shifts(
    options: Options, looks: Sequence[Face], projector: Projector, framing: Framing
) -> Float32[np.ndarray, "n N 2"] | None:
    """What `--relative` adds to the landmarks of each pair. Raises `ValueError` as `aligned.read`."""
    if not options.relative:
        return None
    flag, path = "--neutral", options.at_rest(moving=False)
    neutral = aligned.read(path, flag, framing)
    aligned.check_landmarks(neutral, projector, f"{flag} {path}")
    at_rest = aligned.landmarks(neutral, projector)
    return np.stack([wanted.shift(look, at_rest, projector) for look in looks])


def _say_diverged(pairs: Sequence[tuple[Face, Face]], kept: np.ndarray, say: Say) -> None:
    """Says which pairs are not among those `kept`. Raises `ValueError` where none is."""
    if not kept.size:
        raise ValueError(f"{reports.DIVERGED}; nothing is written")
    for i in np.setdiff1d(np.arange(len(pairs)), kept):
        say(f"left out: {pairs[i][0].name} with the landmarks of {pairs[i][1].name}: {reports.DIVERGED}")
