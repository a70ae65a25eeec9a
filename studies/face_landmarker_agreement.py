"""The Face Landmarker in JAX against the published runtime and against dlib, and its time for an image.

  python -m studies.face_landmarker_agreement --face-landmarker FILE --fixtures FIXTURES --photos PHOTOS

FILE is Google's face_landmarker.task. FIXTURES holds answers of the published runtime: landmarks.npz (`image`,
`points`, `presence`) and blendshapes.npz (`landmarks`, `scores`); a tables.json there may have another map from the 478
points to iBUG's 68, `ibug68_from_mesh478`, which is then compared with dlib, too. PHOTOS is a folder of photos of one
face each, and of sub-folders. Whatever is not given is left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lgan_jax import untrusted
from lgan_jax.faces import Box, Faces, align, face_landmarker
from lgan_jax.faces.face_landmarker import FaceLandmarker, networks
from lgan_jax.faces.face_landmarker.action_units import unit_scores
from lgan_jax.faces.face_landmarker.tables import TO_IBUG68
from lgan_jax.landmarks import IBUG68, inter_ocular
from lgan_jax.media import files, images
from lgan_jax.ops import procrustes

_IMAGE_SIZE = (820, 1024)  # of the fixture whose landmarks the scores are of
_SIDE = 256  # pixels of crops
_BATCH, _TIMES = 8, 10
_MAP = "ibug68_from_mesh478"


def agree(landmarker: FaceLandmarker, folder: Path) -> None:
    """Prints the distance to the answers of the published runtime."""
    fixture = untrusted.read_npz(folder / "landmarks.npz")
    crops = jax.numpy.asarray(fixture["image"])[None] * 2 - 1
    found = jax.jit(lambda weights, crops: networks.mesh(landmarker.bundle, weights, crops))(landmarker.weights, crops)
    error = np.abs(np.asarray(found.points[0]) * networks.CROP - fixture["points"])
    apart = np.linalg.norm(error[:, :2], axis=-1)
    print(f"landmarks, a coordinate (x, y, z): mean {error.mean():.3f}, largest {error.max():.3f} pixels of 256")
    print(f"landmarks, distance in the image: mean {apart.mean():.3f}, largest {apart.max():.3f} pixels of 256")
    fixture = untrusted.read_npz(folder / "blendshapes.npz")
    scores = landmarker.scores(fixture["landmarks"][None, :, :2], np.array([_IMAGE_SIZE]))[0]
    print(f"blendshape scores: largest difference {np.abs(scores - fixture['scores']).max():.1e}")


def measure(landmarker: FaceLandmarker, paths: Sequence[Path], maps: Mapping[str, np.ndarray]) -> None:
    """Prints the distance to dlib's landmarks, of scores of aligned crops to those of the photos, and percentiles."""
    dlib, seen, lacking = Faces(), [], {"dlib": 0, "the Face Landmarker": 0}
    for path in paths:
        image = images.read(path).image
        size = np.array(image.shape[1::-1])
        points, took = _timed(landmarker.landmarks, image, face_landmarker.MESH)
        expected, dlib_took = _timed(dlib.measure, image)
        lacking["dlib"] += expected is None
        lacking["the Face Landmarker"] += not np.isfinite(points).all()
        if expected is None or not np.isfinite(points).all():
            continue
        unit = inter_ocular(expected * size, IBUG68)
        errors = {
            name: np.linalg.norm((points[index] - expected) * size, axis=-1) / unit for name, index in maps.items()
        }
        transform = align.alignment((points[TO_IBUG68] * size).astype(float), _SIDE)
        crop = align.crop(image, transform, _SIDE)
        aligned = landmarker.mesh(crop, aligned=True).points[:, :2]
        moved = procrustes.apply(transform, (points * size).astype(float)) / _SIDE
        drift = np.linalg.norm(aligned - moved, axis=-1).mean() * _SIDE
        scores = landmarker.scores(np.stack([points * size, aligned * _SIDE]), np.ones((2, 2)))
        seen.append((errors, drift, scores, took, dlib_took))
    if not seen:
        raise SystemExit(f"of {len(paths)} photos, none shows a face to both")
    print(f"{len(paths)} photos; without a face: {', '.join(f'{name} {count}' for name, count in lacking.items())}")
    for name in maps:
        error = np.stack([each[0][name] for each in seen])
        inner, outline = error[:, IBUG68.inner], error[:, IBUG68.outline]
        parts = (f"{part} {error[:, list(points)].mean():.3f}" for part, points in IBUG68.groups.items())
        print(
            f"distance to dlib's points in inter-ocular distances, map {name}: inner 51 {inner.mean():.4f}, in 95 % of"
        )
        print(
            f"  photos below {np.percentile(inner.mean(1), 95):.4f}, outline {outline.mean():.4f}; {', '.join(parts)}"
        )
    print(
        f"points of aligned crops of {_SIDE} pixels: {np.mean([each[1] for each in seen]):.2f} pixels from the photo's"
    )
    for name, place in (("the Face Landmarker", 3), ("dlib", 4)):
        wall, processor = 1000 * np.median([each[place] for each in seen], axis=0)
        print(f"{name}: {wall:.1f} ms a photo, {processor:.1f} ms of processor time")
    _units(np.stack([each[2] for each in seen]))


def _units(scores: np.ndarray) -> None:
    """Prints percentiles of the units' scores of photos and their difference in aligned crops; `(n, 2, 52)`."""
    shown = {number: np.asarray(value) for number, value in unit_scores(scores).items()}
    print("unit: score of the photos, 5th, 50th, 95th, 99th percentile; mean difference in aligned crops")
    for number, value in shown.items():
        percentiles = " ".join(f"{each:.3f}" for each in np.percentile(value[:, 0], (5, 50, 95, 99)))
        print(f"  {number:2}: {percentiles}; {np.abs(value[:, 0] - value[:, 1]).mean():.3f}")


def times(landmarker: FaceLandmarker) -> None:
    """Prints how long an image takes, in the median, wall clock and processor time."""
    noise = np.random.default_rng(0).integers(0, 256, (_BATCH, _SIDE, _SIDE, 3), dtype=np.uint8)
    box = Box(40, 40, 200, 200)
    whole = {
        "detector, whole image and nine tiles": (1, lambda: landmarker.detect(noise[0])),
        "landmarks in a known square": (
            1,
            lambda: landmarker.mesh_in(noise[0], np.full(2, 128.0), np.array([1.0, 0]), 256),
        ),
        "landmarks in a box (two passes)": (1, lambda: landmarker.mesh_in_box(noise[0], box)),
        f"landmarks of {_BATCH} aligned crops": (_BATCH, lambda: landmarker.mesh(noise, aligned=True)),
        f"scores of {_BATCH} aligned crops, landmarks included": (
            _BATCH,
            lambda: landmarker.blendshapes(noise, aligned=True),
        ),
    }
    for name, (count, call) in whole.items():
        call()
        wall, processor = 1000 * np.median([_timed(call)[1] for _ in range(_TIMES)], axis=0) / count
        print(f"{name}: {wall:.1f} ms an image, {processor:.1f} ms of processor time, {jax.default_backend()}")


def _timed(call: Callable[..., Any], *arguments: Any) -> tuple[Any, tuple[float, float]]:
    """What a call gives, and its wall clock and processor time in seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    answer = call(*arguments)
    return answer, (time.perf_counter() - wall, time.process_time() - processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face-landmarker", help="the bundle; default: what LGAN_JAX_FACE_LANDMARKER names")
    parser.add_argument("--fixtures", type=Path, help="folder with answers of the published runtime")
    parser.add_argument("--photos", type=Path, help="folder of photos of one face each")
    parser.add_argument("--named", default="*", help="pattern of the photos' names (default: all)")
    given = parser.parse_args()
    landmarker = face_landmarker.load(given.face_landmarker, "--face-landmarker")
    print(f"SHA-256 {landmarker.bundle.checksum}")
    maps = {"used here": TO_IBUG68}
    if given.fixtures:
        agree(landmarker, given.fixtures)
        if (tables := given.fixtures / "tables.json").exists():
            maps["of tables.json"] = np.array(untrusted.read_record(tables, {_MAP: list})[_MAP])
    if given.photos:
        paths = [path for path in files.walk(given.photos) if path.match(given.named) and files.is_photo(path)]
        measure(landmarker, paths, maps)
    times(landmarker)


if __name__ == "__main__":
    main()
