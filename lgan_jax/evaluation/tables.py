"""Tables of figures: one description, shown on a terminal, on a page and in JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import rich.box
import rich.console
import rich.table
import rich.text

from lgan_jax.metrics.summary import Figure

NOT_MEASURED = "–"
_PUBLISHED = "°"  # marks figures of others where rows cannot have a heading between them


@dataclasses.dataclass(frozen=True)
class Column:
    """One measure.

    Attributes:
      key: its name in JSON.
      heading: its name for people, short; a line break is allowed.
      meaning: one sentence: what is compared, in what unit, how many.
      better: which figures are better.
      digits: after the point.
      percent: whether a share is shown as a percentage.
    """

    key: str
    heading: str
    meaning: str
    better: Literal["lower", "higher", "neither"]
    digits: int = 3
    percent: bool = False

    def text(self, row: Row) -> str:
        """A row's figure as it is shown."""
        figure = row.figures.get(self.key)
        if figure is None or figure.mean is None:
            return NOT_MEASURED
        value = figure.mean * 100 if self.percent else figure.mean
        return f"{value:.{self.digits if row.digits is None else row.digits}f}" + ("%" if self.percent else "")


@dataclasses.dataclass(frozen=True)
class Row:
    """One way to do it, or one group of pictures.

    Attributes:
      name: what it is.
      figures: by the columns' keys; a missing one was not measured. One of another table's column is not shown.
      ours: False for figures that others published: they are shown apart and never compared.
      digits: after the point, where it is not the column's number.
      compared: False for a row that is no competitor, such as the truth: it is never marked as the best.
    """

    name: str
    figures: Mapping[str, Figure]
    ours: bool = True
    digits: int | None = None
    compared: bool = True


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      key: its name in JSON.
      title: its heading.
      about: one or two sentences: how many pictures, of what size, what was done.
      columns: the measures.
      rows: ours first, then what was published.
      published: what is said of the published rows.
      compare: whether the best figure of a column is marked; off where rows are groups of pictures.
    """

    key: str
    title: str
    about: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    published: str = ""
    compare: bool = True

    def is_best(self, row: Row, column: Column) -> bool:
        """Whether a row has the best of our figures as they are shown (no row, where all are alike or just one is)."""
        shown = [_rounded(other, column) for other in self.rows if other.ours and other.compared]
        shown = [value for value in shown if value is not None]
        if not (self.compare and row.ours and row.compared) or column.better == "neither" or len(set(shown)) < 2:
            return False
        return _rounded(row, column) == (min(shown) if column.better == "lower" else max(shown))

    def as_json(self) -> dict[str, Any]:
        """Columns with their meanings, and every row's figures of them with their counts."""
        columns = {column.key: {"meaning": column.meaning, "better": column.better} for column in self.columns}
        return {
            "title": self.title,
            "about": self.about,
            "columns": columns,
            "rows": [
                {
                    "name": row.name,
                    "ours": row.ours,
                    "figures": {
                        key: dataclasses.asdict(figure) for key, figure in row.figures.items() if key in columns
                    },
                }
                for row in self.rows
            ],
            "published": self.published,
        }


def _rounded(row: Row, column: Column) -> float | None:
    figure = row.figures.get(column.key)
    if figure is None or figure.mean is None:
        return None
    return round(figure.mean, column.digits + 2 * column.percent)


def show(table: Table, console: rich.console.Console) -> None:
    """Prints a table; best figures in bold, published rows dim. Plain text where the console is not a terminal."""
    drawn = rich.table.Table(box=rich.box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    drawn.add_column("", overflow="fold", no_wrap=False, max_width=27)
    for column in table.columns:
        drawn.add_column(column.heading, justify="right", no_wrap=False, overflow="fold", vertical="bottom")
    ours = [row for row in table.rows if row.ours]
    for row in table.rows:
        cells = [
            rich.text.Text(column.text(row), "bold" if table.is_best(row, column) else "") for column in table.columns
        ]
        name = row.name if row.ours else f"{row.name} {_PUBLISHED}"
        drawn.add_row(rich.text.Text(name), *cells, style="" if row.ours else "dim", end_section=row is ours[-1])
    console.print(rich.text.Text(table.title, "bold"))
    console.print(rich.text.Text(table.about))
    console.print(drawn)
    if table.published:
        console.print(rich.text.Text(f"{_PUBLISHED} {table.published}", "dim"))
    console.print()
