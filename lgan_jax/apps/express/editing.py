"""One edit, from its options to the written file and the printed report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lgan_jax import action_units, cli, locks
from lgan_jax.apps.express import target_units
from lgan_jax.apps.express.command import Options
from lgan_jax.apps.express.target_units import Units
from lgan_jax.apps.shared import loading, photo_face
from lgan_jax.apps.shared.face_reader import FROM_IBUG68, Locator
from lgan_jax.apps.shared.photo_face import Photo
from lgan_jax.faces import Faces, face_landmarker
from lgan_jax.faces.face_landmarker import FaceLandmarker
from lgan_jax.media import output, provenance
from lgan_jax.media.image_grid import GridRow, image_grid
from lgan_jax.media.images import to_bytes
from lgan_jax.media.photos import TRANSPARENT, with_alpha
from lgan_jax.methods.dftnet.model import DFTNet
from lgan_jax.methods.expression.model import ExpressionSynthesizer
from lgan_jax.protocols import ActionUnitEditor, GuidedSynthesizer
from lgan_jax.training import machine

Say = Callable[[str], None]
Find = Callable[[np.ndarray], np.ndarray | None]  # the landmarks in an image

_OTHERWISE = "is a run neither of DFT-Net nor of landmark and expression guided synthesis: it cannot edit expressions"
_SHOWN = 0.05  # intensity from which a unit is named


def express(options: Options) -> int:
    """Edits as `options` say; returns the exit status. Raises one-line errors for a user's mistakes."""
    kinds = (".png", *output.VIDEO_OUT) if options.series else (".png",)
    others = (("--like", options.like), ("--landmarks-from", options.landmarks_from))
    for flag, path in (("--image", options.image), *others):
        if path is not None:
            output.check(options.place, photo_face.open_photo(path, flag), kinds)
    with locks.held(options.place, f"--out {options.place}"):
        return _express(options)


def _express(options: Options) -> int:
    print(machine.device(), flush=True)
    model = loading.load(options.workdir, (DFTNet, ExpressionSynthesizer), _OTHERWISE)
    labelled = isinstance(model, ExpressionSynthesizer)
    (options.check_label if labelled else options.check_units)()
    faces = Faces()
    locator = Locator(loading.framing(options.workdir), model.info, faces, follow=False)
    locator.load()
    if labelled:
        return run_labelled(options, model, locator, faces.measure)
    path, landmarker = options.face_landmarker, None
    if path is not None:
        landmarker = face_landmarker.load(path, "--face-landmarker")
    return run(options, model, locator, faces.measure, landmarker=landmarker)


def run(
    options: Options,
    model: ActionUnitEditor,
    locator: Locator,
    find: Find,
    say: Say = print,
    landmarker: FaceLandmarker | None = None,
) -> int:
    """Edits with a DFT-Net and a locator that are ready, and writes the result. See `express`.

    `find` gives the landmarks of a generated face, or None; they say how far the outline moved. With `landmarker`,
    it estimates the action units in place of the model.
    """
    photo = _photo(options, locator, say)
    own = _estimated(photo, f"--image {options.image}", model, landmarker)
    like = None
    if options.like is not None:
        other = _other(options.like, locator, "--like", say)
        like = _estimated(other, f"--like {options.like}", model, landmarker)
    units = options.targets.units(own, like)
    say(f"estimated for {options.image.name}: {listed(own)}")
    if options.sweep is None:
        say(f"target: {listed(units)}")
    levels, steps = _steps(options, own, units)
    each = [photo_face.enlarged(result, photo) for result in photo_face.edited(model, photo, steps, own)]
    _write(options, photo, each, levels, find, say)
    say(f"{options.place} is written")
    return 0


def run_labelled(options: Options, model: GuidedSynthesizer, locator: Locator, find: Find, say: Say = print) -> int:
    """As `run`, with a synthesizer: the other face's landmarks, aligned as the face itself, and an expression's label.

    Raises `ValueError` where dlib's points do not make up the run's scheme.
    """
    scheme = model.info.scheme.name
    if scheme not in FROM_IBUG68:
        raise ValueError(f"--landmarks-from: dlib has no {scheme} points, which {options.workdir} needs")
    photo = _photo(options, locator, say)
    other = _other(options.landmarks_from, locator, "--landmarks-from", say)
    say(f"target: {options.expression}, with the landmarks of {options.landmarks_from.name}")
    landmarks = other.face.ibug68[FROM_IBUG68[scheme]]
    generated = model.synthesize(
        photo_face.in_range(photo), landmarks[None], np.array([target_units.label(options.expression)])
    )
    _write(options, photo, list(to_bytes(generated)), np.ones(1), find, say)
    say(f"{options.place} is written")
    return 0


def _estimated(photo: Photo, name: str, model: ActionUnitEditor, landmarker: FaceLandmarker | None) -> Units:
    """The action units of the face in a photo; those that the Face Landmarker does not know are 0."""
    if landmarker is None:
        return model.estimate(photo_face.in_range(photo))[0]
    found = np.asarray(landmarker.action_units(photo.image), np.float32)
    if np.isnan(found).all():
        raise ValueError(f"{name}: the Face Landmarker finds no face; leave --face-landmarker out")
    return np.nan_to_num(found)


def _photo(options: Options, locator: Locator, say: Say) -> Photo:
    """The photo to edit; says which of several faces is edited, and that transparent parts are composited."""
    photo = photo_face.read(options.image, locator, "--image")
    if line := photo_face.which(photo, options.image.name):
        say(line)
    if photo.alpha is not None and (options.moving or options.series):
        say(f"{options.image.name}: {TRANSPARENT}")
    return photo


def _other(path: Path, locator: Locator, flag: str, say: Say) -> Photo:
    """The photo that gives landmarks or an expression."""
    other = photo_face.read(path, locator, flag)
    if line := photo_face.which(other, path.name):
        say(line.replace("is edited", "is taken"))
    return other


def listed(units: Units) -> str:
    """The visible action units, with their intensities."""
    shown = [f"{n} at {value:.2f}" for n, value in zip(action_units.NUMBERS, units.tolist()) if value >= _SHOWN]
    return ", ".join(shown) or "a neutral face"


def _steps(options: Options, own: Units, units: Units) -> tuple[np.ndarray, np.ndarray]:
    if options.sweep is not None:
        return target_units.sweep(units, options.sweep, options.moving)
    if options.interpolate is not None:
        return target_units.interpolated(own, units, options.interpolate, options.moving)
    return np.ones(1), units[None]


def _write(
    options: Options, photo: Photo, faces: Sequence[np.ndarray], levels: np.ndarray, find: Find, say: Say
) -> None:
    source = photo_face.open_photo(options.image, "--image")
    with output.open_output(options.place, source, options.workdir.resolve().name) as destination:
        if options.series and not options.moving:
            destination.write(_grid(options, photo, faces, levels), 0)
        else:
            for time, face in enumerate(faces):
                image = face if options.face_only else photo_face.put_back(photo, face, find(face))
                if photo.alpha is not None and not options.face_only and not options.moving:
                    image = with_alpha(image, photo.alpha)
                destination.write(provenance.mark(image, options.moving and options.visible_mark), time)
        destination.finish(complete=True)
        if line := cli.keep_earlier(options.place, options.overwrite):
            say(line)
        destination.commit()


def _grid(options: Options, photo: Photo, faces: Sequence[np.ndarray], levels: np.ndarray) -> np.ndarray:
    """An image grid of the source face and all steps."""
    name = "" if options.sweep is None else f"AU {options.sweep} at "
    cells = [photo_face.original(photo), *faces]
    return image_grid([GridRow("", cells)], ["source", *(f"{name}{level:g}" for level in levels)], cells[0].shape[0])
