"""Tables of metrics: one description, shown on a terminal, on a page and in JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import rich.box
import rich.console
import rich.table
import rich.text

from lgan_jax.metrics.summary import Figure, share, summarize

NOT_MEASURED = "–"
_PUBLISHED = "°"  # marks published metrics where rows cannot have a heading between them

# By a column's key: one value a test case, NaN where not measured; flags; or a metric of all cases together.
Values = Mapping[str, np.ndarray | Figure]


@dataclasses.dataclass(frozen=True)
class Column:
    """One metric.

    Attributes:
      key: its name in JSON.
      heading: its name on the page, short; a line break is allowed.
      meaning: one sentence: what is compared, in what unit, how many.
      better: which values are better.
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
        """A row's metric as it is shown."""
        metric = row.metrics.get(self.key)
        if metric is None or metric.mean is None:
            return NOT_MEASURED
        value = metric.mean * 100 if self.percent else metric.mean
        return f"{value:.{self.digits if row.digits is None else row.digits}f}" + ("%" if self.percent else "")


@dataclasses.dataclass(frozen=True)
class Row:
    """The model, a baseline, or a group of images.

    Attributes:
      name: what it is.
      metrics: by the columns' keys; a missing one was not measured.
      published: whether others published it: shown apart and never compared.
      digits: after the point, where it is not the column's number.
      compared: False for a row that is no competitor, such as the ground truth: it is never marked as the best.
    """

    name: str
    metrics: Mapping[str, Figure]
    published: bool = False
    digits: int | None = None
    compared: bool = True


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      key: its name in JSON.
      title: its heading.
      about: one or two sentences: how many images, of what size, what was done.
      columns: the metrics.
      rows: the measured ones first, then the published ones.
      published: the source of the published rows.
      compare: whether the best value of a column is marked; off where rows are groups of images.
    """

    key: str
    title: str
    about: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    published: str = ""
    compare: bool = True

    def is_best(self, row: Row, column: Column) -> bool:
        """Whether a row has the best measured value as shown (no row, where all are alike or there is just one)."""
        shown = [_rounded(other, column) for other in self.rows if other.compared and not other.published]
        shown = [value for value in shown if value is not None]
        if not (self.compare and row.compared) or row.published or column.better == "neither" or len(set(shown)) < 2:
            return False
        return _rounded(row, column) == (min(shown) if column.better == "lower" else max(shown))

    def as_json(self) -> dict[str, Any]:
        """Columns with their meanings, and every row's metrics with their counts."""
        columns = {column.key: {"meaning": column.meaning, "better": column.better} for column in self.columns}
        return {
            "title": self.title,
            "about": self.about,
            "columns": columns,
            "rows": [
                {
                    "name": row.name,
                    "published": row.published,
                    "metrics": {key: dataclasses.asdict(metric) for key, metric in row.metrics.items()},
                }
                for row in self.rows
            ],
            "published": self.published,
        }


def ssim(of: str) -> Column:
    """The column `ssim`: structural similarity `of` two images, in words."""
    return Column("ssim", "SSIM", f"structural similarity of {of}", "higher")


def psnr(of: str, digits: int = 1) -> Column:
    """The column `psnr`: peak signal-to-noise ratio `of` two images, in words."""
    return Column("psnr", "PSNR\ndB", f"peak signal-to-noise ratio of {of}; 100 at most", "higher", digits)


def identity(between: str) -> Column:
    """The column `identity`: distance of dlib's descriptors `between` two images, in words."""
    meaning = f"distance of dlib's face descriptors between {between}; dlib calls two faces one person below 0.6"
    return Column("identity", "ID", meaning, "lower")


def found(of: str) -> Column:
    """The column `found`: the share `of` some images, in words, in which dlib finds a face."""
    return Column("found", "found\nby dlib", f"share of {of} in which dlib finds a face", "higher", 0, True)


def frechet(of: str) -> Column:
    """The column `frechet`: Fréchet distance of dlib's descriptors `of` some images to those of others, in words."""
    meaning = (
        f"Fréchet distance of dlib's 128 face descriptors (not of Inception's features) of {of}, covariances divided "
        "by N − 1; with so few images, only rows of this table can be compared"
    )
    return Column("frechet", "FD\ndlib", meaning, "lower", 4)


def measured_rows(rows: Mapping[str, Values], columns: Sequence[Column], references: Collection[str] = ()) -> list[Row]:
    """A row of each name: the mean over the cases of each value that has a column, or the share of true flags.

    Those named in `references`, such as the ground truth, are no competitors.
    """
    keys = [column.key for column in columns]
    return [
        Row(name, {key: _metric(values[key]) for key in keys if key in values}, compared=name not in references)
        for name, values in rows.items()
    ]


def published_rows(
    rows: Mapping[str, Sequence[float | int]], keys: Sequence[str], unit: float = 1.0, digits: int | None = None
) -> list[Row]:
    """A row of each name, with its published values of the columns `keys`, in units of `unit`."""
    return [
        Row(name, {key: scalar(value / unit, 0, 0) for key, value in zip(keys, values)}, True, digits)
        for name, values in rows.items()
    ]


def scalar(value: float | int, measured: int = 1, of: int = 1) -> Figure:
    """A metric of all cases together; not measured where it is NaN."""
    return Figure(None, None, 0, of) if np.isnan(value) else Figure(float(value), None, measured, of)


def _metric(values: np.ndarray | Figure) -> Figure:
    if isinstance(values, Figure):
        return values
    return share(values) if values.dtype == bool else summarize(values)


def _rounded(row: Row, column: Column) -> float | None:
    metric = row.metrics.get(column.key)
    if metric is None or metric.mean is None:
        return None
    return round(metric.mean, column.digits + 2 * column.percent)


def show(table: Table, console: rich.console.Console) -> None:
    """Prints a table; best values in bold, published rows dim. Plain text where the console is not a terminal."""
    drawn = rich.table.Table(box=rich.box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    drawn.add_column("", overflow="fold", no_wrap=False, max_width=27)
    for column in table.columns:
        drawn.add_column(column.heading, justify="right", no_wrap=False, overflow="fold", vertical="bottom")
    measured = [row for row in table.rows if not row.published]
    for row in table.rows:
        cells = [
            rich.text.Text(column.text(row), "bold" if table.is_best(row, column) else "") for column in table.columns
        ]
        name = f"{row.name} {_PUBLISHED}" if row.published else row.name
        drawn.add_row(
            rich.text.Text(name), *cells, style="dim" if row.published else "", end_section=row is measured[-1]
        )
    console.print(rich.text.Text(table.title, "bold"))
    console.print(rich.text.Text(table.about))
    console.print(drawn)
    if table.published:
        console.print(rich.text.Text(f"{_PUBLISHED} {table.published}", "dim"))
    console.print()
