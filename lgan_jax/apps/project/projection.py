"""A projection, from its options to the written folder and the printed report."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float32

from lgan_jax import locks
from lgan_jax.apps.project import aligned, networks, progress, result_folder, target_landmarks, video
from lgan_jax.apps.project.aligned import Face, Framing
from lgan_jax.apps.project.command import Options
from lgan_jax.apps.shared import face_reader
from lgan_jax.faces import Faces
from lgan_jax.inversion import Diverged
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.images import to_floats
from lgan_jax.media.source import open_source
from lgan_jax.methods.projection.losses import landmark_weights
from lgan_jax.methods.projection.model import SETTINGS
from lgan_jax.methods.projection.projector import Projector, Settings
from lgan_jax.training import machine

Say = Callable[[str], None]


def settings(options: Options) -> Settings:
    """How to search. Raises `ValueError` for numbers out of range."""
    changes = {"landmarks": options.landmark_weight, "prior": options.prior, "candidates": options.candidates}
    changes = {name: value for name, value in changes.items() if value is not None}
    changes |= {"steps": options.steps, "every": max(1, math.ceil(options.steps / 100))}
    changes |= {"slots": options.at_once, "look": options.look_weight, "space": options.space}
    found = dataclasses.replace(Settings() if options.workdir is None else SETTINGS, **changes)
    if 0 < found.candidates < options.restarts:
        raise ValueError(f"--restarts {options.restarts} needs as many --candidates, not {found.candidates}")
    return found


def project(options: Options) -> int:
    """Projects as `options` say; returns the exit status. Raises one-line errors for a user's mistakes."""
    settings(options)  # raises, as the next, for values that mean nothing
    if options.workdir is None:
        landmark_weights(IBUG68, options.weights)
    result_folder.check(options.out)
    moving = open_source(options.landmarks).kind == "video"
    if moving:
        aligned.check(options.look, "--look")
    else:
        paired(photos(options.look, "--look"), photos(options.landmarks, "--landmarks"))
    target_landmarks.at_rest(options, moving)  # raises for values that mean nothing
    with locks.held(options.out, f"--out {options.out}"):
        return _project(options, moving)


def _project(options: Options, moving: bool) -> int:
    print(machine.device(), flush=True)
    if options.workdir is not None:
        projector, known = networks.of_run(options.workdir, options.weights, settings(options))
        points = face_reader.FROM_IBUG68.get(projector.scheme.name)
        framing = Framing(
            Faces(), projector.generator.size, face_reader.alignment(known, projector.scheme), True, points
        )
    else:
        files = options.network, options.fan, options.vgg, options.lpips
        projector = networks.projector(*files, options.weights, settings(options))
        framing = Framing(Faces(), projector.generator.size)
    return (video.run if moving else run)(options, projector, framing)


def run(options: Options, projector: Projector, framing: Framing, say: Say = print) -> int:
    """Projects with networks that are ready, and writes the results. See `project`."""
    pairs = read_pairs(options, projector, framing, say)
    looks, others = ([pair[i] for pair in pairs] for i in (0, 1))
    shifts = _shifts(options, looks, projector, framing, say)
    tracks = progress.Tracks(options.steps, len(pairs) * options.restarts)
    look, landmarks = (
        to_floats(np.stack([face.crop for face in looks])),
        target_landmarks.landmarks(others, projector, shifts),
    )
    converged = np.arange(len(pairs))
    try:
        found = projector(look, landmarks, options.restarts, jax.random.key(options.seed), tracks.report)
    except Diverged as error:
        found, converged = error.found, np.setdiff1d(converged, error.rows)
    finally:
        tracks.close()
    _say_diverged(pairs, converged, say)
    ways = tracks.of_best(found.restart)
    shown = [target_landmarks.shown(pairs[i], projector, None if shifts is None else shifts[i]) for i in converged]
    pairs, ways = ([each[i] for i in converged] for each in (pairs, ways))
    found = jax.tree.map(lambda rows: rows[converged], found)
    result_folder.write(options.out, pairs, shown, projector, found, ways, options)
    terms = "  ".join(f"{name} {np.mean(values):.3g}" for name, values in found.terms.items())
    say(f"{options.out} is written; mean loss {found.loss.mean():.3g}: {terms}")
    return 0


def photos(path: Path, flag: str) -> tuple[Path, ...]:
    """The photos at `path`, one or a folder of them. Raises `FileNotFoundError`, or `ValueError` for none."""
    source = open_source(path)
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
    """The aligned faces of each pair. Of several, unusable ones are reported and left out.

    Raises `ValueError` where it is the only one, or none is left.
    """
    paths = paired(photos(options.look, "--look"), photos(options.landmarks, "--landmarks"))
    for path in dict.fromkeys((options.look, options.landmarks)):
        for note in open_source(path).notes:
            say(f"{path.name}: {note}")
    pairs, read = [], functools.cache(lambda path, flag: aligned.read(path, flag, framing, say))
    for look, landmarks in paths:
        try:
            one, other = read(look, "--look"), read(landmarks, "--landmarks")
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
    options: Options, looks: Sequence[Face], projector: Projector, framing: Framing, say: Say
) -> Float32[np.ndarray, "n N 2"] | None:
    """The offsets that `--relative` adds to the landmarks of each pair. Raises `ValueError` as `aligned.read`."""
    if not options.relative:
        return None
    flag, path = "--neutral", target_landmarks.at_rest(options, moving=False)
    neutral = aligned.read(path, flag, framing, say)
    aligned.check_landmarks(neutral, projector, f"{flag} {path}")
    at_rest = aligned.landmarks(neutral, projector)
    return np.stack([target_landmarks.shift(look, at_rest, projector) for look in looks])


def _say_diverged(pairs: Sequence[tuple[Face, Face]], converged: np.ndarray, say: Say) -> None:
    """Says which pairs are not among those `converged`. Raises `ValueError` where none is."""
    if not converged.size:
        raise ValueError(f"{progress.DIVERGED}; nothing is written")
    for i in np.setdiff1d(np.arange(len(pairs)), converged):
        say(f"left out: {pairs[i][0].name} with the landmarks of {pairs[i][1].name}: {progress.DIVERGED}")
