"""Smiles on photographs of people whom no run has seen: trained runs against what costs nothing.

  python -m studies.smile_on_strangers --photos LONDON --face-landmarker FILE --split validation
  python -m studies.smile_on_strangers --photos LONDON --face-landmarker FILE --workdir RUN --out REPORT

LONDON has a folder for each person, with neutral.jpg and smiling.jpg, 512 pixels square, of one cut. A run edits the
neutral photo, at the photo's own resolution, to the action units that the Face Landmarker sees in the smiling photo.
The ground truth is the smiling photo, brought over the neutral one by a similarity on the eyes' corners and the bridge
of the nose. People are shuffled (NumPy's default_rng(0)): the first 20 are the test split, the next 12 the validation
split, by which settings are chosen; rows that need other people's photos take all who are not in the split measured,
but for the validation split never those of the test split.

Rows without a network: the neutral photo; warped by the other people's mean change of landmarks; warped by a linear
function (ridge regression) of the change of action units; warped to the ground truth's landmarks. The ground truth
itself is a row. Columns: distance of dlib's 20 mouth points over the distance of the outer eye corners; SSIM of the
ground truth's landmark box; ℓ1 of its mouth box and 10 pixels around, and of the inside of its lips where they are
parted; energy of the Laplacian in the mouth box over the ground truth's; share of people whose smile score rises by at
least half of the ground truth's; share in whom dlib finds a face; distance of dlib's descriptors to the neutral photo.
Second lines are paired 95 % intervals (bootstrap over people) of the difference from the mean change.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from skimage.metrics import structural_similarity

from lgan_jax import files
from lgan_jax.apps.shared import loading, photo_face
from lgan_jax.apps.shared.face_reader import Locator
from lgan_jax.faces import Faces, face_landmarker
from lgan_jax.faces.face_landmarker import FaceLandmarker
from lgan_jax.faces.face_landmarker.action_units import action_units
from lgan_jax.faces.face_landmarker.tables import BLENDSHAPES
from lgan_jax.landmarks import IBUG68, inter_ocular
from lgan_jax.media import images
from lgan_jax.media.image_grid import GridRow, image_grid
from lgan_jax.methods.dftnet.model import DFTNet
from lgan_jax.metrics.summary import interval_over_groups
from lgan_jax.ops import procrustes
from lgan_jax.protocols import ActionUnitEditor

TEST, VALIDATION = 20, 12  # people
MEAN, TRUTH = "mean change, warped", "ground truth"
SMILE = [BLENDSHAPES.index(f"mouthSmile{side}") for side in ("Left", "Right")]
_STABLE = [36, 39, 42, 45, 27, 28, 29, 30]  # the eyes' corners and the bridge of the nose
_MOUTH, _INNER_LIPS = slice(48, 68), slice(60, 68)
_PARTED = 0.002  # area of the inside of the lips over the squared distance of the outer eye corners
_RIDGE = 0.3  # in squared intensities of action units
_SMOOTHING = 1e-4  # of the spline
_NODES = 33  # of the grid that the spline is evaluated on, on a side
_BORDER = np.array([(x, y) for x in np.linspace(0, 1, 5) for y in np.linspace(0, 1, 5) if x in (0, 1) or y in (0, 1)])
_COLUMNS = {  # with whether the rows' intervals are shown
    **{"mouth error": True, "SSIM": True, "l1 mouth": True, "l1 parted": True},
    **{"sharpness": False, "smile rises": False, "found": False, "identity": False},
}

Image = UInt8[np.ndarray, "_ _ 3"]
Points = Float[np.ndarray, "68 2"]


@dataclasses.dataclass(frozen=True)
class Person:
    """A neutral photo, and the smiling one over it; landmarks in [0, 1] across the image.

    Attributes:
      scores: blendshape scores of the neutral and of the smiling photo.
      eyes: distance of the neutral face's outer eye corners.
    """

    name: str
    neutral: Image
    points: Points
    smiling: Image
    wanted: Points
    scores: Float[np.ndarray, "2 52"]
    eyes: float

    @property
    def units(self) -> Float[np.ndarray, "2 17"]:
        """Action units of both photos; 0 where they are not known, as in prepared data."""
        return np.nan_to_num(action_units(self.scores)).astype(np.float32)


class Seen:
    """What dlib and the Face Landmarker see in images."""

    def __init__(self, landmarker: FaceLandmarker) -> None:
        self._faces, self._landmarker = Faces(), landmarker

    def points(self, image: Image) -> Points | None:
        """dlib's landmarks of the largest face."""
        boxes = self._faces.find(image, upsample=1)
        return self._faces.landmarks(image, max(boxes, key=lambda box: box.area)).astype(float) if boxes else None

    def descriptor(self, image: Image, points: Points) -> np.ndarray:
        return self._faces.descriptor(image, points)

    def scores(self, photos: Sequence[Image]) -> np.ndarray:
        return self._landmarker.blendshapes(photos)

    def person(self, folder: Path) -> Person | None:
        """The person of a folder, None where dlib does not find both faces."""
        neutral, smiling = (images.read(folder / f"{name}.jpg").image for name in ("neutral", "smiling"))
        points, wanted = self.points(neutral), self.points(smiling)
        if points is None or wanted is None:
            return None
        scores = self.scores([neutral, smiling])
        over, wanted = brought_over(smiling, wanted, points)
        return Person(folder.name, neutral, points, over, wanted, scores, float(inter_ocular(points, IBUG68)))


def brought_over(image: Image, points: Points, reference: Points) -> tuple[Image, Points]:
    """An image and its points after the similarity that brings its stable points onto the reference's."""
    height, width = image.shape[:2]
    size = np.array([width, height])
    transform = procrustes.similarity(points[_STABLE] * size, reference[_STABLE] * size)
    moved = procrustes.apply(transform, points * size) / size
    matrix = transform.copy()
    matrix[:, 2] += matrix[:, :2].sum(1) * 0.5 - 0.5  # OpenCV's pixels have their centers at whole numbers
    over = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return over, moved


def warped(image: Image, source: Points, target: Points) -> Image:
    """The image after the thin-plate spline that carries its points `source` to `target`; the border stays.

    The spline of the baseline "mean change" on these photos; that of `ops.thin_plate` holds the border loosely.
    """
    to, of = np.concatenate([target, _BORDER]), np.concatenate([source, _BORDER])
    affine = np.column_stack([np.ones(len(to)), to])
    system = np.block([[_kernel(to, to) + _SMOOTHING * np.eye(len(to)), affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.concatenate([of, np.zeros((3, 2))]))
    nodes = np.stack(np.meshgrid(*[np.linspace(0, 1, _NODES)] * 2), -1).reshape(-1, 2)
    coarse = np.column_stack([_kernel(nodes, to), np.ones(len(nodes)), nodes]) @ weights
    size = np.array(image.shape[1::-1])
    places = [((np.arange(side) + 0.5) / side * (_NODES - 1)).astype(np.float32) for side in size]
    flow = cv2.remap(coarse.reshape(_NODES, _NODES, 2).astype(np.float32), *np.meshgrid(*places), cv2.INTER_LINEAR)
    x, y = (np.ascontiguousarray(each) for each in np.moveaxis(flow * size - 0.5, -1, 0).astype(np.float32))
    return cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    squared = ((one[:, None] - other[None]) ** 2).sum(-1)
    return squared * np.log(squared + 1e-9)


def linear_changes(others: Sequence[Person], people: Sequence[Person], ridge: float) -> Float[np.ndarray, "n 68 2"]:
    """Changes of landmarks, in distances of the outer eye corners, as a linear function of those of action units.

    It is fitted to `others`, around their mean, and applied to `people`.
    """
    change = np.stack([((one.wanted - one.points) / one.eyes).ravel() for one in others])
    units, asked = (np.stack([one.units[1] - one.units[0] for one in group]) for group in (others, people))
    middle = units.mean(0)
    centered = units - middle
    system = centered.T @ centered / len(others) + ridge * np.eye(centered.shape[1]) / len(others)
    slopes = np.linalg.solve(system, centered.T @ (change - change.mean(0)) / len(others))
    return (change.mean(0) + (asked - middle) @ slopes).reshape(-1, 68, 2)


def without_network(others: Sequence[Person], people: Sequence[Person]) -> dict[str, list[Image]]:
    """The rows that need no training of a network."""
    mean = np.mean([(one.wanted - one.points) / one.eyes for one in others], 0)
    linear = linear_changes(others, people, _RIDGE)
    return {
        "unchanged": [one.neutral for one in people],
        MEAN: [warped(one.neutral, one.points, one.points + mean * one.eyes) for one in people],
        "linear in action units, warped": [
            warped(one.neutral, one.points, one.points + change * one.eyes) for one, change in zip(people, linear)
        ],
        "true landmarks, warped": [warped(one.neutral, one.points, one.wanted) for one in people],
        TRUTH: [one.smiling for one in people],
    }


def editors(workdir: Path) -> tuple[dict[str, ActionUnitEditor], Locator]:
    """The models of a run, DFT-Net and maybe GANimation, and what locates faces for them."""
    model = loading.load(workdir, DFTNet, "is no run of DFT-Net")
    locator = Locator(loading.framing(workdir), model.info, Faces(), follow=False)
    return {"DFT-Net": model} | ({} if model.baseline is None else {"GANimation": model.baseline}), locator


def edited(
    model: ActionUnitEditor,
    locator: Locator,
    image: Image,
    name: str,
    units: Float[np.ndarray, "n 17"],
    own: Float[np.ndarray, " 17"],
) -> list[Image]:
    """A photo with a model's edits to each of n sets of action units, as the app `express` gives them.

    `own` are the action units that the Face Landmarker sees in the photo, as with the app's --face-landmarker.
    """
    photo, find = photo_face.search(image, locator, name), Faces().measure
    faces = [photo_face.enlarged(each, photo) for each in photo_face.edited(model, photo, units, own)]
    return [photo_face.put_back(photo, face, find(face)) for face in faces]


def measured(seen: Seen, people: Sequence[Person], results: Sequence[Image]) -> dict[str, np.ndarray]:
    """Columns of a row; NaN where a face was not found, or lips are not parted."""
    scores = seen.scores(results)
    values = [_one(seen, *each) for each in zip(people, results, scores, strict=True)]
    return {name: np.array([value[name] for value in values], float) for name in _COLUMNS}


def _one(seen: Seen, person: Person, result: Image, scores: np.ndarray) -> dict[str, float]:
    found = seen.points(result)
    size = np.array(result.shape[1::-1])
    face, mouth = box(person.wanted, size), box(person.wanted[_MOUTH], size, 10)
    difference = np.abs(result.astype(float) - person.smiling) / 255
    lips = np.zeros(result.shape[:2], np.uint8)
    cv2.fillPoly(lips, [np.rint(person.wanted[_INNER_LIPS] * size - 0.5).astype(int)], 1)
    parted = lips.sum() >= _PARTED * (person.eyes * size[0]) ** 2
    rise, true_rise = (np.mean((each - person.scores[0])[SMILE]) for each in (scores, person.scores[1]))
    error = identity = np.nan
    if found is not None:
        error = np.linalg.norm((found - person.wanted)[_MOUTH], axis=-1).mean() / person.eyes
        own = seen.descriptor(person.neutral, person.points)
        identity = np.linalg.norm(seen.descriptor(result, found) - own)
    return {
        "mouth error": error,
        "SSIM": structural_similarity(result[face], person.smiling[face], channel_axis=2, data_range=255),
        "l1 mouth": difference[mouth].mean(),
        "l1 parted": difference[lips > 0].mean() if parted else np.nan,
        "sharpness": sharpness(result[mouth]) / sharpness(person.smiling[mouth]),
        "smile rises": np.nan if np.isnan(rise) else rise >= true_rise / 2,
        "found": found is not None,
        "identity": identity,
    }


def box(points: np.ndarray, size: np.ndarray, margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns of the box around points in [0, 1], and `margin` pixels around."""
    (x0, y0), (x1, y1) = (points.min(0) * size).astype(int) - margin, (points.max(0) * size).astype(int) + margin
    return slice(y0, y1), slice(x0, x1)


def sharpness(image: Image) -> float:
    """The energy of the Laplacian of the gray image."""
    return float(np.mean(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float), cv2.CV_64F) ** 2))


def interval(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """95 % of the mean paired difference, by bootstrap over people that both have."""
    difference = one - other
    if not np.isfinite(difference).any():
        return np.nan, np.nan
    return interval_over_groups(difference, np.arange(len(difference)))


def table(rows: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """The means, and below them the intervals of the difference from the mean change."""
    lines = [f"{'':32}" + "".join(f"{name:>17}" for name in _COLUMNS)]
    for row, values in rows.items():
        lines.append(f"{row:32}" + "".join(f"{_mean(values[name]):17.4f}" for name in _COLUMNS))
        if row not in (MEAN, TRUTH):
            bounds = [interval(values[name], rows[MEAN][name]) if shown else None for name, shown in _COLUMNS.items()]
            cells = ("" if each is None else f"{each[0]:+.4f} {each[1]:+.4f}" for each in bounds)
            lines.append(f"{'':32}" + "".join(f"{cell:>17}" for cell in cells))
    return "\n".join(lines)


def _mean(values: np.ndarray) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else np.nan


def split(people: Sequence[Person], name: str) -> tuple[list[Person], list[Person]]:
    """The people of a split, and the others whose photos may be used for it; see the module."""
    order = np.random.default_rng(0).permutation(len(people))
    test, validation, rest = np.split(order, [TEST, TEST + VALIDATION])
    one, others = (test, [*validation, *rest]) if name == "test" else (validation, rest)
    return [people[i] for i in one], [people[i] for i in others]


def main() -> int:
    """Prints the table; writes the image grid if a folder is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder for each person")
    parser.add_argument("--face-landmarker", help="the bundle; default: what LGAN_JAX_FACE_LANDMARKER names")
    parser.add_argument("--workdir", type=Path, action="append", default=[], help="a run of DFT-Net; may be repeated")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--out", type=Path, help="folder for the image grid")
    given = parser.parse_args()
    seen = Seen(face_landmarker.load(given.face_landmarker, "--face-landmarker"))
    folders = sorted(path for path in given.photos.iterdir() if path.is_dir())
    everyone = [person for person in map(seen.person, folders) if person is not None]
    if len(everyone) <= TEST + VALIDATION:
        parser.error(f"--photos {given.photos}: {len(everyone)} people; more than {TEST + VALIDATION} are needed")
    people, others = split(everyone, given.split)
    print(f"{len(everyone)} of {len(folders)} people, {len(people)} {given.split}, {len(others)} others")
    results = without_network(others, people)
    for workdir in given.workdir:
        models, locator = editors(workdir)
        for name, model in models.items():
            made = (edited(model, locator, one.neutral, one.name, one.units[1:], one.units[0])[0] for one in people)
            results[f"{name}, {workdir.resolve().name}"] = list(made)
    rows = {name: measured(seen, people, each) for name, each in results.items()}
    print(table(rows))
    if given.out is not None:
        files.make_folder(given.out)
        place = given.out / f"smiles_{given.split}.jpg"
        cells = [GridRow(one.name, [each[i] for each in results.values()]) for i, one in enumerate(people)]
        grid = image_grid(cells, list(results), people[0].neutral.shape[0])
        files.write_bytes(place, images.encode_jpeg(grid))
        print(f"{place} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
