"""The pictures of DFT-Net's evaluation: Fig. 3, 4 and 5 of Wang et al., single expressions, and the flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from lgan_jax.data import FaceData
from lgan_jax.evaluation.report import Sheet
from lgan_jax.landmarks import IBUG68, inter_ocular
from lgan_jax.media.image_grid import Row, cell_side, sheet
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.dftnet.evaluation import flows
from lgan_jax.methods.dftnet.evaluation.cases import SINGLE, Cases, calmest, drawn, with_units
from lgan_jax.methods.dftnet.evaluation.editing import Model, squares
from lgan_jax.methods.dftnet.evaluation.tables import BASELINE, OURS, TRUE

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ROWS, _FEW, _THREE = 6, 4, 3  # faces of Fig. 4; of single expressions and Fig. 5; of the eyelids and the flow
_EYES = 1.5  # width of the part around the eyes, in distances between their outer corners


def sheets(data: FaceData, cases: Cases, models: Mapping[str, Model], seen: np.ndarray) -> list[Sheet]:
    """All sheets.

    Args:
      data: where the cases are from; built-in faces are drawn again to show the truth.
      cases: the measured faces.
      models: DFT-Net, and the baseline where the run has it, by name.
      seen: dlib's landmarks `(n, 68, 2)` of the faces, NaN where there are none; they say where the eyes are.
    """
    chosen = liveliest(cases, _ROWS)
    calm = calmest(cases, _FEW)
    return [
        _parts(cases, chosen, models),
        _singles(data, cases, calm, models),
        _eyelids(data, cases, calm[:_THREE], models, seen),
        _interpolation(cases, chosen[:_FEW], models),
        _flow(cases, calm[:_THREE], models[OURS]),
    ]


def liveliest(cases: Cases, count: int) -> np.ndarray:
    """The cases whose action units change most, the most first."""
    return np.argsort(-np.abs(cases.wanted - cases.units).sum(-1), kind="stable")[:count]


def _parts(cases: Cases, chosen: np.ndarray, models: Mapping[str, Model]) -> Sheet:
    made = {name: _edit(model, cases.pictures[chosen], cases.wanted[chosen]) for name, model in models.items()}
    ours = made[OURS]
    attention = np.repeat(2 * ours.attention - 1, 3, -1)
    columns = {
        "source": cases.pictures[chosen],
        "wanted: as here": cases.pictures[cases.giver[chosen]],
        **({} if cases.true is None else {TRUE: cases.true[chosen]}),
        "warped source": to_bytes(ours.aligned),
        "texture": to_bytes(ours.texture),
        "attention": to_bytes(attention),
        **{name: to_bytes(each.image) for name, each in made.items()},
    }
    return Sheet(
        name="parts",
        title="What a face is made of",
        caption="As Fig. 4 of the paper, on the test faces whose action units change most. Where the attention is "
        "white the result is the warped source, where it is black the texture."
        + ("" if BASELINE in models else " The run has no GANimation baseline to show."),
        image=_columns(columns, cases),
    )


def _singles(data: FaceData, cases: Cases, chosen: np.ndarray, models: Mapping[str, Model]) -> Sheet:
    units = [cases.units[chosen], *(with_units(cases.units[chosen], changes) for changes in SINGLE.values())]
    grids = _grids(data, cases, chosen, models, units[1:])
    rows = []
    for i in range(len(chosen)):
        for j, (name, grid) in enumerate(grids.items()):
            rows.append(Row(name, [None if j else cases.pictures[chosen[i]], *grid[:, i]]))
    names = [f"{name} ({'+'.join(map(str, changes))})" for name, changes in SINGLE.items()]
    return Sheet(
        name="singles",
        title="One expression at a time",
        caption=f"The calmest of the test faces, their own action units kept but for those in the headings: "
        f"{_intensities()}.{_named(grids)}",
        image=sheet(rows, ["source", *names], data.info.size),
    )


def _eyelids(data: FaceData, cases: Cases, chosen: np.ndarray, models: Mapping[str, Model], seen: np.ndarray) -> Sheet:
    units = [with_units(cases.units[chosen], {45: level}) for level in LEVELS]
    grids = _grids(data, cases, chosen, models, units)
    grids = {"warped source": _grid(models[OURS], cases.pictures[chosen], units, "aligned"), **grids}
    eyes = not np.isnan(seen[chosen]).any()

    def cut(pictures: np.ndarray) -> Sequence[np.ndarray]:
        """The parts around the eyes, or all of the faces where dlib has not seen each of them."""
        if not eyes:
            return list(pictures)
        points = seen[chosen]
        side = float(min(_EYES * inter_ocular(points, IBUG68).max(), 1))
        return squares(pictures, points[:, 36:48].mean(1), side)

    source = cut(cases.pictures[chosen])
    parts = {name: [cut(pictures) for pictures in grid] for name, grid in grids.items()}
    rows = []
    for i in range(len(chosen)):
        for j, (name, grid) in enumerate(parts.items()):
            rows.append(Row(name, [None if j else source[i], *(level[i] for level in grid)]))
    return Sheet(
        name="eyelids",
        title="Eyelids",
        caption="As Fig. 3 of the paper: action unit 45 (blink) at the intensities above, all others as they were"
        + (", around the eyes." if eyes else ".")
        + _named(grids),
        image=sheet(rows, ["source", *(f"45 at {level:g}" for level in LEVELS)], data.info.size),
    )


def _interpolation(cases: Cases, chosen: np.ndarray, models: Mapping[str, Model]) -> Sheet:
    own, wanted = cases.units[chosen], cases.wanted[chosen]
    units = [((1 - level) * own + level * wanted).astype(np.float32) for level in LEVELS]
    grid = _grid(models[OURS], cases.pictures[chosen], units, "image")
    columns = {
        "source": cases.pictures[chosen],
        **{f"{level:g}": pictures for level, pictures in zip(LEVELS, grid)},
        "wanted: as here": cases.pictures[cases.giver[chosen]],
    }
    return Sheet(
        name="interpolation",
        title="From one expression to another",
        caption="As Fig. 5 of the paper, by DFT-Net: action units on the line from the source's own, at 0, to those of "
        "the face on the right, at 1. The person and the pose should stay the source's.",
        image=_columns(columns, cases),
    )


def _flow(cases: Cases, chosen: np.ndarray, model: Model) -> Sheet:
    size = cases.pictures.shape[1]
    side = cell_side(size)
    made = {
        name: _edit(model, cases.pictures[chosen], with_units(cases.units[chosen], SINGLE[name])) for name in SINGLE
    }
    longest = max(float(np.quantile(np.linalg.norm(each.flow, axis=-1), 0.995)) for each in made.values())
    scale = longest if longest > 0 else 1 / size
    rows = []
    for i, place in enumerate(chosen):
        source = cases.pictures[place]
        rows.append(
            Row("flow as colours", [source, *(flows.coloured(each.flow[i], scale) for each in made.values()),
                                    None if i else flows.legend(side)])
        )  # fmt: skip
        rows.append(
            Row("grid, bent", [None, *(flows.bent(source, each.flow[i], side) for each in made.values()), None])
        )
    pixels = f"{scale * size:.2g} of {size} pixels"
    still = "" if longest > 0 else " The flow is zero everywhere."
    return Sheet(
        name="flow",
        title="The flow",
        caption=f"White stays in its place; full colour takes a pixel from {pixels} away (the 99.5th percentile here), "
        "in the direction of the colour on the wheel; what comes from farther is darker. Below, the warped source with "
        f"a grid on it: the flow alone, without attention and texture.{still}",
        image=sheet(rows, ["source", *SINGLE, f"scale {scale:.2%} of width"], size),
    )


def _grids(
    data: FaceData, cases: Cases, chosen: np.ndarray, models: Mapping[str, Model], units: Sequence[np.ndarray]
) -> dict[str, UInt8[np.ndarray, "levels k H W 3"]]:
    """By name: the results of each model, and the truth where it can be drawn."""
    grids = {name: _grid(model, cases.pictures[chosen], units, "image") for name, model in models.items()}
    if data.drawn is not None:
        grids[TRUE] = np.stack([drawn(data, cases.places[chosen], each) for each in units])
    return grids


def _grid(
    model: Model, pictures: np.ndarray, units: Sequence[np.ndarray], field: str
) -> UInt8[np.ndarray, "levels k H W 3"]:
    made = _edit(model, np.concatenate([pictures] * len(units)), np.concatenate(units))
    flat = to_bytes(getattr(made, field))
    return flat.reshape(len(units), -1, *flat.shape[1:])


def _edit(model: Model, pictures: np.ndarray, units: Float32[np.ndarray, "n 17"]) -> Any:
    return model.edit(to_floats(pictures), units)


def _columns(columns: Mapping[str, np.ndarray], cases: Cases) -> np.ndarray:
    count = len(next(iter(columns.values())))
    rows = [Row("", [pictures[i] for pictures in columns.values()]) for i in range(count)]
    return sheet(rows, list(columns), cases.pictures.shape[1])


def _named(grids: Mapping[str, Any]) -> str:
    return " The last row of each is drawn: what should come out." if TRUE in grids else ""


def _intensities() -> str:
    return "; ".join(
        f"{name}: " + ", ".join(f"{number} at {value:g}" for number, value in changes.items())
        for name, changes in SINGLE.items()
    )
