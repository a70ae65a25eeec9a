"""A linear model of expressions: landmarks and colors that change with action units. Not in the paper.

It starts where a flow learned from few pairs does not arrive. Action units move landmarks linearly; a thin-plate spline
turns moved landmarks into a flow, the Φ of Eq. 3. The texture B of Eq. 4 is the warped source plus a linear change of
colors (folds, cheeks, lids), which is defined on a reference face and warped to the moved landmarks. The inside of lips
that part comes from a photo of another person, the nearest in opening.

Landmarks are iBUG's 68 in [0, 1] of an aligned crop. Images are in [-1, 1]. s and t stand for source and target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from lgan_jax import action_units
from lgan_jax.faces import align
from lgan_jax.methods.dftnet.networks import Edited
from lgan_jax.ops.thin_plate import thin_plate_flow
from lgan_jax.ops.warp import pixel_centers, sample, warp

FEATURES = 2 * len(action_units.NUMBERS)
SIDE = 128  # pixels of the reference face
_WINDOW = np.array((0.25, 0.60), np.float32), np.array((0.50, 0.35), np.float32)  # the mouth's corner and size there
ROWS, COLUMNS = 90, 128  # pixels of the window
OPENINGS = (0.05, 0.09, 0.14, 0.20, 0.28, 0.38)  # of the stored mouths, in distances of the outer eye corners
# Units of the upper and of the lower face, as the Facial Action Coding System has them; 6 and 12 lift the cheeks too.
UPPER, LOWER = (1, 2, 4, 5, 6, 7, 12, 45), (6, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26)
# Raised and lowered brows change no colors here: brows are aligned too poorly for it.
UPPER_COLORS = (6, 7, 12, 45)
_UPPER_POINTS = (*range(17, 28), *range(36, 48))  # brows, bridge of the nose, eyes
_BETWEEN = (0.42, 0.54)  # heights in the reference face between which both are blended: the nose
_ROOT = 0.01  # the square root of an intensity is that of intensity + _ROOT, so that its slope is finite at 0
_SMOOTHING = 5e-4  # of the splines
_LEAST = 0.003  # smallest opening of lips and lids, in image widths; a spline through crossed lips folds
_CLOSED, _PARTED = 0.02, 0.05  # openings of closed lips as landmarks show them, and of lips that show their inside
_WIDE = 0.17  # opening of a mouth that shows more than teeth
_EYES = (36, 45)
_INNER_LIPS = tuple(range(60, 68))
_LIPS = ((61, 67), (62, 66), (63, 65))  # upper and lower points that meet when closed
_LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))

Image = Float[Array, "batch height width 3"]
Landmarks = Float[Array, "batch 68 2"]
Units = Float[Array, "batch 17"]


class Linear(NamedTuple):
    """The coefficients.

    Attributes:
      displacement: change of each landmark for each feature, in image widths.
      texture: change of the reference face's colors for each feature.
      mouths: insides of mouths in the reference face's window, over the root of the skin's brightness; see `mouths`.
      known: which of `OPENINGS` have a mouth.
    """

    displacement: Float[Array, "features 68 2"]
    texture: Float[Array, "features side side 3"]
    mouths: Float[Array, "openings rows columns 3"]
    known: Bool[Array, " openings"]


def _reference() -> np.ndarray:
    """The mean face with parted lips, so that their inside has pixels."""
    face = align.TEMPLATE.copy()
    face[[55, 56, 57, 58, 59, 65, 66, 67], 1] += 0.06
    face[[5, 6, 7, 8, 9, 10, 11], 1] += np.array([0.02, 0.03, 0.04, 0.04, 0.04, 0.03, 0.02])
    return face.astype(np.float32)


def _filled(points: np.ndarray, rows: int, columns: int, blur: float) -> np.ndarray:
    """A soft mask `(rows, columns, 1)` of the convex hull of points in [0, 1]."""
    mask = np.zeros((rows, columns), np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points * (columns, rows) - 0.5).astype(np.int32)), 1.0)
    return cv2.GaussianBlur(mask, (0, 0), blur)[..., None]


def _face_mask() -> np.ndarray:
    """1 on the reference face, without the band along its outline, where hair and background begin."""
    middle = REFERENCE.mean(0)
    brow = REFERENCE[17:27] - (0, 0.06)
    outline = np.concatenate([middle + 0.93 * (REFERENCE[:17] - middle), brow])
    return _filled(outline, SIDE, SIDE, 3.0)


def _in_window(points: Any) -> Any:
    """Positions in the mouth's window, in [0, 1] of it, of positions in the reference face."""
    corner, scale = (each.reshape((1,) * (points.ndim - 1) + (2,)) for each in _WINDOW)
    return (points - corner) / scale


REFERENCE = _reference()
FACE = _face_mask()
INSIDE = _filled(_in_window(REFERENCE[list(_INNER_LIPS)]), ROWS, COLUMNS, 1.5)


def features(source: Units, target: Units) -> Float[Array, "batch features"]:
    """What landmarks and colors are linear in: differences of action units and of their square roots.

    Zero where both are the same; the way back is the negative. The roots let weak intensities count more.
    """
    potentials = (jnp.concatenate([units, jnp.sqrt(units + _ROOT)], -1) for units in (source, target))
    first, second = potentials
    return second - first


def columns(numbers: Sequence[int]) -> Int[np.ndarray, " k"]:
    """The places among the features of units that numbers name."""
    places = np.array([action_units.NUMBERS.index(number) for number in numbers])
    return np.concatenate([places, len(action_units.NUMBERS) + places])


def upper_face() -> tuple[Bool[np.ndarray, " 68"], Float[np.ndarray, " side"]]:
    """Which landmarks are of the upper face, and how much each row of the reference face is."""
    points = np.isin(np.arange(len(REFERENCE)), _UPPER_POINTS)
    high, low = _BETWEEN
    return points, np.clip((low - (np.arange(SIDE) + 0.5) / SIDE) / (low - high), 0, 1)


def moved(landmarks: Landmarks, displacement: Float[Array, "batch 68 2"]) -> Landmarks:
    """Displaced landmarks; lips and lids that would cross meet in the middle."""
    points = landmarks + displacement
    for upper, lower in (*_LIPS, *_LIDS):
        gap = points[:, lower, 1] - points[:, upper, 1]
        push = jnp.maximum(_LEAST - gap, 0) / 2
        points = points.at[:, upper, 1].add(-push).at[:, lower, 1].add(push)
    return points


def opening(landmarks: Landmarks) -> Float[Array, " batch"]:
    """The mean distance between the inner lips over that of the outer eye corners."""
    upper, lower = (np.array(each) for each in zip(*_LIPS))
    gap = jnp.mean(jnp.maximum(landmarks[:, lower, 1] - landmarks[:, upper, 1], 0), -1)
    return gap / jnp.linalg.norm(landmarks[:, _EYES[1]] - landmarks[:, _EYES[0]], axis=-1)


def edited(model: Linear, image: Image, change: Float[Array, "batch features"], landmarks: Landmarks) -> Edited:
    """Faces with landmarks, edited by `change`, which are `features`; Eq. 3 to 5 with flow and texture as above."""
    target = moved(landmarks, jnp.einsum("bf,fnc->bnc", change, model.displacement))
    flow = _spline(target, landmarks, *image.shape[1:3])
    aligned = warp(image, flow)
    places = _in_reference(target, *image.shape[1:3])
    colors = jnp.einsum("bf,fhwc->bhwc", change, model.texture)
    face, lips = sample(jnp.asarray(FACE), places), sample(jnp.asarray(INSIDE), _in_window(places))
    texture = aligned + (1 - lips) * jax.vmap(sample)(colors, places)
    shown, mouth = _mouth(model, aligned, face, landmarks, target, places)
    inside = lips * shown
    texture = jnp.clip((1 - inside) * texture + inside * mouth, -1, 1)
    attention = 1 - jnp.maximum(face, inside)
    return Edited((1 - attention) * texture + attention * aligned, flow, attention, aligned, texture)


def _spline(target: Landmarks, source: Landmarks, height: int, width: int) -> Float[Array, "batch height width 2"]:
    return thin_plate_flow(target, source[:, None], height, width, _SMOOTHING)[:, 0]


def _in_reference(landmarks: Landmarks, height: int, width: int) -> Float[Array, "batch height width 2"]:
    """The position in the reference face of each pixel of faces with these landmarks."""
    reference = jnp.broadcast_to(jnp.asarray(REFERENCE)[None], landmarks.shape)
    return pixel_centers(height, width)[None] + _spline(landmarks, reference, height, width)


def _mouth(
    model: Linear,
    aligned: Image,
    face: Float[Array, "batch height width 1"],
    source: Landmarks,
    target: Landmarks,
    places: Float[Array, "batch height width 2"],
) -> tuple[Float[Array, "batch 1 1 1"], Image]:
    """How much of another mouth is shown, where lips part further than the source's, and its colors.

    Between two openings both mouths are blended.
    """
    wanted = opening(target)
    near = _hats(wanted) * model.known[None]
    total = jnp.sum(near, -1)
    stored = jnp.einsum("bk,khwc->bhwc", near / jnp.maximum(total, 1e-6)[:, None], model.mouths)
    mouth = jax.vmap(sample)(stored, _in_window(places)) * _brightness(aligned, face)
    own, parted = (jnp.maximum(each - _CLOSED, 1e-6) for each in (opening(source), wanted))
    new = jnp.clip(2 * (1 - own / parted), 0, 1) * (total > 0)
    new = new * jnp.clip((wanted - _CLOSED) / (_PARTED - _CLOSED), 0, 1)
    return new.reshape(-1, 1, 1, 1), 2 * mouth - 1


def _hats(wanted: Float[Array, " batch"]) -> Float[Array, "batch openings"]:
    """The weights of linear interpolation between `OPENINGS`, the first below and the last beyond them."""
    centers = jnp.asarray(OPENINGS)
    place = jnp.interp(wanted, centers, jnp.arange(len(OPENINGS), dtype=jnp.float32))
    return jnp.maximum(1 - jnp.abs(place[:, None] - jnp.arange(len(OPENINGS))[None]), 0)


def _brightness(image: Image, face: Float[Array, "batch height width 1"]) -> Float[Array, "batch 1 1 1"]:
    """The root of the mean of colors in [0, 1] over faces: half of what brightens skin is light, which teeth share."""
    mean = jnp.sum(face * (image + 1) / 2, (1, 2, 3)) / (3 * jnp.sum(face, (1, 2, 3)))
    return jnp.sqrt(mean).reshape(-1, 1, 1, 1)


def on_reference(
    image: Image, landmarks: Landmarks
) -> tuple[Float[Array, "batch side side 3"], Float[Array, "batch side side 2"]]:
    """Faces warped to the reference face's landmarks, and the offsets to where each of its positions was."""
    reference = jnp.broadcast_to(jnp.asarray(REFERENCE)[None], landmarks.shape)
    offset = _spline(reference, landmarks, SIDE, SIDE)
    return jax.vmap(sample)(image, pixel_centers(SIDE, SIDE)[None] + offset), offset


def mouths(
    image: Image,
    landmarks: Landmarks,
    shown: Float[Array, "batch side side 3"],
    offset: Float[Array, "batch side side 2"],
) -> tuple[Float[Array, "batch rows columns 3"], Float[Array, " batch"], Int[Array, " batch"]]:
    """The windows around the mouths of faces, how good each is, and its place in `OPENINGS`.

    Windows are divided by the root of the skin's brightness. Smiles are better with sharper and whiter teeth, mouths
    that are wide open with more contrast; closed lips are below 0. `shown` and `offset` are those of `on_reference`.
    """
    face = jnp.broadcast_to(jnp.asarray(FACE)[None], (*offset.shape[:3], 1))
    corner, scale = (each.reshape(1, 1, 2) for each in _WINDOW)
    window = pixel_centers(ROWS, COLUMNS) * scale + corner
    places = window[None] + jax.vmap(sample, (0, None))(offset, window)
    colors = (jax.vmap(sample)(image, places) + 1) / 2
    wide = opening(landmarks)
    quality = jnp.where(wide < _WIDE, _teeth(colors), _contrast(colors))
    quality = jnp.where(wide > _PARTED - 0.01, quality, -1.0)
    return colors / _brightness(shown, face), quality, jnp.argmax(_hats(wide), -1)


def _teeth(colors: Float[Array, "batch rows columns 3"]) -> Float[Array, " batch"]:
    """How sharp and how white the inside of mouths is."""
    gray, inside = jnp.mean(colors, -1), jnp.asarray(INSIDE)[None]
    step = jnp.abs(jnp.diff(gray, axis=2))[:, 1:] + jnp.abs(jnp.diff(gray, axis=1))[:, :, 1:]
    mean = jnp.sum(colors * inside, (1, 2)) / jnp.sum(inside)
    return jnp.mean(step * inside[:, 1:, 1:, 0], (1, 2)) * jnp.min(mean, -1) / jnp.max(mean, -1)


def _contrast(colors: Float[Array, "batch rows columns 3"]) -> Float[Array, " batch"]:
    """The standard deviation of the inside of mouths over its mean: high for teeth before a dark cavity."""
    gray, inside = jnp.mean(colors, -1), jnp.asarray(INSIDE)[None, ..., 0]
    mean = jnp.sum(gray * inside, (1, 2)) / jnp.sum(inside)
    square = jnp.sum((gray - mean.reshape(-1, 1, 1)) ** 2 * inside, (1, 2)) / jnp.sum(inside)
    return jnp.sqrt(square) / jnp.maximum(mean, 1e-3)
