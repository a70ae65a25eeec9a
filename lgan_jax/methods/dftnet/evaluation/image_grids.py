"""Image grids of DFT-Net's evaluation: Fig. 3, 4 and 5 of Wang et al., single expressions, and the flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.evaluation.harness import Setup
from lgan_jax.evaluation.report import ReportImage, grid
from lgan_jax.landmarks import IBUG68, inter_ocular
from lgan_jax.media.image_grid import GridRow, cell_side
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.dftnet.evaluation import flows
from lgan_jax.methods.dftnet.evaluation.edits import SINGLE, calmest, largest, rendered, with_units
from lgan_jax.methods.dftnet.evaluation.metrics import BASELINE, GROUND_TRUTH, OURS, Measured, squares
from lgan_jax.protocols import ActionUnitEditor

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ROWS, _FEW, _THREE = 6, 4, 3  # faces in Fig. 4; in single expressions and Fig. 5; in the eyelids and the flow
_EYES = 1.5  # width of the crop around the eyes, in distances between their outer corners


def parts(setup: Setup, measured: Measured) -> ReportImage:
    """Fig. 4: the components of a generated image."""
    edits, chosen = measured.edits, largest(measured.edits, _ROWS)
    generated = {
        name: _edit(model, edits.images[chosen], edits.target[chosen]) for name, model in measured.models.items()
    }
    ours = generated[OURS]
    columns = {
        "source": edits.images[chosen],
        "target: as here": edits.images[edits.donor[chosen]],
        **({} if edits.ground_truth is None else {GROUND_TRUTH: edits.ground_truth[chosen]}),
        "warped source": to_bytes(ours.aligned),
        "texture": to_bytes(ours.texture),
        "attention": to_bytes(np.repeat(2 * ours.attention - 1, 3, -1)),
        **{name: to_bytes(each.image) for name, each in generated.items()},
    }
    return _columns(
        "parts",
        "Components of a generated image",
        "As Fig. 4 of the paper, on the test faces with the largest changes of action units. The result is the warped "
        "source where the attention is white, and the texture where it is black."
        + ("" if BASELINE in measured.models else " The run has no GANimation baseline to show."),
        columns,
        setup.data.info.size,
    )


def single_expressions(setup: Setup, measured: Measured) -> ReportImage:
    """Each expression of `SINGLE` on the most neutral faces."""
    edits, chosen = measured.edits, calmest(measured.edits, _FEW)
    grids = _grids(setup, measured, chosen, [with_units(edits.units[chosen], each) for each in SINGLE.values()])
    names = [f"{name} ({'+'.join(map(str, changes))})" for name, changes in SINGLE.items()]
    intensities = "; ".join(
        f"{name}: " + ", ".join(f"{number} at {value:g}" for number, value in changes.items())
        for name, changes in SINGLE.items()
    )
    return grid(
        "singles",
        "Single expressions",
        f"The most neutral test faces with their own action units, except those in the headings: {intensities}."
        f"{_last_row(grids)}",
        _rows(list(edits.images[chosen]), grids),
        ["source", *names],
        setup.data.info.size,
    )


def eyelids(setup: Setup, measured: Measured) -> ReportImage:
    """Fig. 3: action unit 45, around the eyes, or of the whole face if dlib misses a face."""
    edits, chosen = measured.edits, calmest(measured.edits, _THREE)
    units = [with_units(edits.units[chosen], {45: level}) for level in LEVELS]
    grids = {"warped source": _grid(measured.models[OURS], edits.images[chosen], units, "aligned")}
    grids |= _grids(setup, measured, chosen, units)
    points, eyes = measured.seen[chosen], not np.isnan(measured.seen[chosen]).any()

    def crop(images: np.ndarray) -> Sequence[np.ndarray]:
        if not eyes:
            return list(images)
        side = float(min(_EYES * inter_ocular(points, IBUG68).max(), 1))
        return squares(images, points[:, 36:48].mean(1), side)

    crops = {name: [crop(images) for images in levels] for name, levels in grids.items()}
    return grid(
        "eyelids",
        "Eyelids",
        "As Fig. 3 of the paper: action unit 45 (blink) at the intensities above, all others unchanged"
        + (", around the eyes." if eyes else ".")
        + _last_row(grids),
        _rows(crop(edits.images[chosen]), crops),
        ["source", *(f"45 at {level:g}" for level in LEVELS)],
        setup.data.info.size,
    )


def interpolation(setup: Setup, measured: Measured) -> ReportImage:
    """Fig. 5: interpolation from the source's expression to the target's."""
    edits, chosen = measured.edits, largest(measured.edits, _ROWS)[:_FEW]
    own, target = edits.units[chosen], edits.target[chosen]
    units = [((1 - level) * own + level * target).astype(np.float32) for level in LEVELS]
    levels = _grid(measured.models[OURS], edits.images[chosen], units, "image")
    columns = {
        "source": edits.images[chosen],
        **{f"{level:g}": images for level, images in zip(LEVELS, levels)},
        "target: as here": edits.images[edits.donor[chosen]],
    }
    return _columns(
        "interpolation",
        "Interpolation between expressions",
        "As Fig. 5 of the paper, by DFT-Net: action units interpolated from the source's own, at 0, to those of the "
        "face on the right, at 1. Identity and pose should be the source's.",
        columns,
        setup.data.info.size,
    )


def flow(setup: Setup, measured: Measured) -> ReportImage:
    """The flow as colors and as a warped grid."""
    edits, chosen, size = measured.edits, calmest(measured.edits, _THREE), setup.data.info.size
    side = cell_side(size)
    generated = [
        _edit(measured.models[OURS], edits.images[chosen], with_units(edits.units[chosen], changes))
        for changes in SINGLE.values()
    ]
    longest = max(float(np.quantile(np.linalg.norm(each.flow, axis=-1), 0.995)) for each in generated)
    scale = longest if longest > 0 else 1 / size
    rows = []
    for i, source in enumerate(edits.images[chosen]):
        colors = [flows.colored(each.flow[i], scale) for each in generated]
        rows.append(GridRow("flow as colors", [source, *colors, None if i else flows.legend(side)]))
        warped = [flows.warped_grid(source, each.flow[i], side) for each in generated]
        rows.append(GridRow("warped grid", [None, *warped, None]))
    still = "" if longest > 0 else " The flow is zero everywhere."
    return grid(
        "flow",
        "The flow",
        f"White is zero flow; full color is an offset of {scale * size:.2g} of {size} pixels (the 99.5th percentile "
        "here), in the direction of the color on the wheel; larger offsets are darker. Below, the warped source with a "
        f"grid: the flow alone, without attention and texture.{still}",
        rows,
        ["source", *SINGLE, f"scale {scale:.2%} of width"],
        size,
    )


def _grids(
    setup: Setup, measured: Measured, chosen: np.ndarray, units: Sequence[np.ndarray]
) -> dict[str, UInt8[np.ndarray, "levels k H W 3"]]:
    """By name: the results of each model, and the ground truth if it can be rendered."""
    images = measured.edits.images[chosen]
    grids = {name: _grid(model, images, units, "image") for name, model in measured.models.items()}
    if setup.data.drawn is not None:
        indices = measured.edits.indices[chosen]
        grids[GROUND_TRUTH] = np.stack([rendered(setup.data, indices, each) for each in units])
    return grids


def _grid(
    model: ActionUnitEditor, images: np.ndarray, units: Sequence[np.ndarray], field: str
) -> UInt8[np.ndarray, "levels k H W 3"]:
    edited = _edit(model, np.concatenate([images] * len(units)), np.concatenate(units))
    flat = to_bytes(getattr(edited, field))
    return flat.reshape(len(units), -1, *flat.shape[1:])


def _edit(model: ActionUnitEditor, images: np.ndarray, units: Float32[np.ndarray, "n 17"]) -> Any:
    return model.edit(to_floats(images), units)


def _rows(sources: Sequence[np.ndarray], grids: Mapping[str, Any]) -> list[GridRow]:
    """One row per source and grid, with the source before its first row."""
    return [
        GridRow(name, [None if j else source, *(level[i] for level in levels)])
        for i, source in enumerate(sources)
        for j, (name, levels) in enumerate(grids.items())
    ]


def _columns(name: str, title: str, caption: str, columns: Mapping[str, np.ndarray], size: int) -> ReportImage:
    rows = [GridRow("", list(cells)) for cells in zip(*columns.values())]
    return grid(name, title, caption, rows, list(columns), size)


def _last_row(grids: Mapping[str, Any]) -> str:
    return " The last row of each face is the rendered ground truth." if GROUND_TRUTH in grids else ""
