"""Single expressions on photographs of people whom no run has seen, measured by the Face Landmarker's scores.

  python -m studies.edits_on_strangers --photos NOBODY --face-landmarker FILE --workdir RUN --out REPORT

NOBODY is a folder of photos, one face each. They are shuffled (NumPy's default_rng(0)): the first 32 are the test
split, the next 16 the validation split, by which settings are chosen. A smile, an open mouth, raised brows and closed
eyes are asked for, each alone: its action units are set, all others stay as the Face Landmarker sees them in the photo.
Columns: share of photos in which the unit that stands for the expression moves by at least half of what was asked;
share in which no unit of another expression moves by more than a fifth of it; mean change of each of the four units.
Photos that show the expression already, so that less than 0.3 is asked, are left out; `counted` are the others. Photos
in which dlib finds no face stay as they are, and count.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lgan_jax import files
from lgan_jax.action_units import NUMBERS
from lgan_jax.apps.shared.face_reader import Locator
from lgan_jax.faces import face_landmarker
from lgan_jax.faces.face_landmarker.action_units import action_units
from lgan_jax.media import files as media_files
from lgan_jax.media import images
from lgan_jax.media.image_grid import GridRow, image_grid
from lgan_jax.methods.dftnet.evaluation.edits import SINGLE, with_units
from lgan_jax.protocols import ActionUnitEditor
from studies.smile_on_strangers import edited, editors

TEST, VALIDATION = 32, 16  # photos
STANDS_FOR = {"smile": 12, "open mouth": 26, "raised brows": 2, "closed eyes": 45}
_LEAST = 0.3  # asked change of a unit from which it counts
_MOVES, _STAYS = 1 / 2, 1 / 5  # of what was asked
_COLUMNS = [NUMBERS.index(number) for number in STANDS_FOR.values()]


def outcome(
    name: str, before: Float[np.ndarray, "n 17"], after: Float[np.ndarray, "n 17"]
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Of edits to an expression: which count, which move what was asked, which leave the others where they were.

    A face that is lost, NaN, counts and does neither. Units that belong to the expression itself are no others.
    """
    unit = NUMBERS.index(STANDS_FOR[name])
    asked = SINGLE[name][STANDS_FOR[name]] - before[:, unit]
    change = after - before
    others = [NUMBERS.index(number) for number in STANDS_FOR.values() if number not in SINGLE[name]]
    stays = (np.abs(change[:, others]) < _STAYS * asked[:, None]).all(1)
    return asked >= _LEAST, change[:, unit] >= _MOVES * asked, stays


def split(paths: Sequence[Path], name: str) -> list[Path]:
    """The photos of a split."""
    order = np.random.default_rng(0).permutation(len(paths))
    chosen = order[:TEST] if name == "test" else order[TEST : TEST + VALIDATION]
    return [paths[i] for i in chosen]


def main() -> int:
    """Prints a line for each model and expression; writes an image grid for each model if a folder is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos")
    parser.add_argument("--face-landmarker", help="the bundle; default: what LGAN_JAX_FACE_LANDMARKER names")
    parser.add_argument(
        "--workdir", type=Path, action="append", required=True, help="a run of DFT-Net; may be repeated"
    )
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--out", type=Path, help="folder for the image grids")
    given = parser.parse_args()
    landmarker = face_landmarker.load(given.face_landmarker, "--face-landmarker")
    paths = split(sorted(path for path in media_files.walk(given.photos) if media_files.is_photo(path)), given.split)
    photos = [images.read(path).image for path in paths]
    before = _units(landmarker, photos)
    print(f"{len(photos)} {given.split} photos")
    for workdir in given.workdir:
        models, locator = editors(workdir)
        for model_name, model in models.items():
            title = f"{model_name}, {workdir.resolve().name}"
            results = [
                _edited(model, locator, photo, path.name, own) for photo, path, own in zip(photos, paths, before)
            ]
            _show(title, before, [_units(landmarker, column) for column in zip(*results, strict=True)])
            if given.out is not None:
                _write(given.out / f"edits_{given.split}_{title.replace(', ', '_')}.jpg", paths, photos, results)
    return 0


def _units(landmarker: face_landmarker.FaceLandmarker, photos: Sequence[np.ndarray]) -> Float[np.ndarray, "n 17"]:
    return np.asarray(action_units(landmarker.blendshapes(list(photos))), np.float32)


def _edited(model: ActionUnitEditor, locator: Locator, photo: np.ndarray, name: str, own: np.ndarray) -> list:
    """The four edits of a photo; where no face is located, which is printed, the photo itself."""
    asked = _asked(own)
    locator.reset()
    if locator.locate(photo) is None:
        print(f"not edited: {name}: dlib finds no face")
        return [photo] * len(asked)
    return edited(model, locator, photo, name, asked, np.nan_to_num(own))


def _asked(own: Float[np.ndarray, " 17"]) -> Float[np.ndarray, "4 17"]:
    """The action units of the four expressions, each alone; units that are not known are 0, as in prepared data."""
    known = np.nan_to_num(own)[None]
    return np.concatenate([with_units(known, changes) for changes in SINGLE.values()])


def _show(title: str, before: np.ndarray, after: Sequence[np.ndarray]) -> None:
    print(f"{title:32}   counted     moves    others stay   mean change of {', '.join(STANDS_FOR)}")
    for name, column in zip(SINGLE, after, strict=True):
        counts, moves, stays = outcome(name, before, column)
        if not counts.any():
            print(f"{name:32}{0:10}")
            continue
        change = np.nanmean((column - before)[counts][:, _COLUMNS], 0)
        shown = "  ".join(f"{value:+.2f}" for value in change)
        print(f"{name:32}{counts.sum():10}{moves[counts].mean():10.0%}{stays[counts].mean():15.0%}   {shown}")


def _write(place: Path, paths: Sequence[Path], photos: Sequence[np.ndarray], results: Sequence) -> None:
    rows = [GridRow(path.stem, [photo, *each]) for path, photo, each in zip(paths, photos, results, strict=True)]
    files.make_folder(place.parent)
    grid = image_grid(rows, ["photo", *SINGLE], photos[0].shape[0])
    files.write_bytes(place, images.encode_jpeg(grid))
    print(f"{place} is written")


if __name__ == "__main__":
    sys.exit(main())
