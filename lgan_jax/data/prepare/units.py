"""Action units of a prepared person, estimated from the landmarks."""

from __future__ import annotations

from pathlib import Path

from lgan_jax import files
from lgan_jax.data.builders import openface
from lgan_jax.data.prepare.job import annotated
from lgan_jax.faces.unit_estimate import ESTIMATED, estimate, neutral_head
from lgan_jax.landmarks import IBUG68

UNITS = "action_units.csv"
_NOTE = (
    "An estimate by lgan_jax from landmarks, relative to the person's own face at rest, from 0 to 5 as OpenFace's; "
    "units that landmarks do not show are left out"
)


def add_units(folder: Path) -> None:
    """Writes the action units of a prepared person's pictures beside the landmarks, unless they are there."""
    file = folder / UNITS
    if file.exists():
        return
    points, names = annotated(folder)
    units = estimate(points, neutral_head(points, IBUG68), IBUG68)
    files.write_bytes(file, openface.table_text(names, units, ESTIMATED, _NOTE).encode())
