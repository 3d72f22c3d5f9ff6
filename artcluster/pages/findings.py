"""Findings as plain data: sections of tables, charts and maps, drawn in several ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from artcluster.pages.atlas import Gallery
from artcluster.pages.charts import Points
from artcluster.pages.content import Chart
from artcluster.pages.templates import cluster_colour


@dataclass(frozen=True)
class FindingsTable:
    """A table of texts; all columns but the first hold figures.

    Attributes:
        title: What it holds; '' where the section says it.
        best: Row and column of cells to stress.
        folded: Whether a page shows it on demand only.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: frozenset[tuple[int, int]] = frozenset()
    text: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Bars:
    """Counts by value, the most frequent first.

    Attributes:
        items: Value and count.
        text: What is left out.
    """

    title: str
    items: Sequence[tuple[str, int]]
    text: str = ""


@dataclass(frozen=True)
class Heat:
    """A matrix whose cells are shaded by their values.

    Attributes:
        corner: What the rows are.
        cells: Text and shade of each, the shade 0 to 1; None for an empty one.
    """

    title: str
    corner: str
    columns: Sequence[str]
    rows: Sequence[str]
    cells: Sequence[Sequence[tuple[str, float] | None]]
    text: str = ""


@dataclass(frozen=True)
class Scatter:
    """Points on a plane.

    Attributes:
        x: 0 to `MAP_SIDE`, left to right.
        y: 0 to `MAP_SIDE`, top down.
        groups: The group of each point; −1 is drawn grey.
    """

    x: Sequence[int]
    y: Sequence[int]
    groups: Sequence[int]


MAP_SIDE = 200


@dataclass(frozen=True)
class Maps:
    """Small maps side by side.

    Attributes:
        cells: By row and column; one that is missing is left empty.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    cells: Mapping[tuple[int, int], Scatter]
    text: str = ""


Block = FindingsTable | Bars | Heat | Maps | Chart | Points | Gallery


@dataclass(frozen=True)
class Section:
    """A heading, a few words, and what belongs under it."""

    title: str
    text: str
    blocks: Sequence[Block] = ()
    points: Sequence[str] = ()
    """Sentences of a list, before the blocks."""


@dataclass(frozen=True)
class Findings:
    """What was found, as a page tells it.

    Attributes:
        foot: What it was made of, at its end.
    """

    title: str
    lead: str
    sections: Sequence[Section] = field(default=())
    foot: str = ""


_PAD = 8
_LABEL_PX, _HEAD_PX = 190, 30


def scatter_paths(scatter: Scatter) -> str:
    """Return a path a group: dots are lines of no length with round ends."""
    places: dict[int, list[str]] = {}
    for x, y, group in zip(scatter.x, scatter.y, scatter.groups, strict=True):
        places.setdefault(group, []).append(f"M{x + _PAD} {y + _PAD}h0")
    return "".join(
        f'<path fill="none" stroke="{cluster_colour(group)}" stroke-width="5" '
        f'stroke-linecap="round" d="{"".join(places[group])}"/>'
        for group in sorted(places)
    )


def scatter_svg(scatter: Scatter, label: str) -> str:
    """Draw one map."""
    side = MAP_SIDE + 2 * _PAD
    return (
        f'<svg class="scatter" viewBox="0 0 {side} {side}" role="img" '
        f'aria-label="{escape(label)}">{scatter_paths(scatter)}</svg>'
    )


def maps_svg(maps: Maps) -> str:
    """Draw all maps as one figure with its headings; for a file of its own."""
    side = MAP_SIDE + 2 * _PAD
    width, height = _LABEL_PX + side * len(maps.columns), _HEAD_PX + side * len(maps.rows)
    parts = [
        f'<text class="tick mid" x="{_LABEL_PX + side * (column + 0.5)}" y="20">{escape(name)}'
        "</text>"
        for column, name in enumerate(maps.columns)
    ]
    parts += [
        f'<text class="tick" x="8" y="{_HEAD_PX + side * (row + 0.5)}">{escape(name)}</text>'
        for row, name in enumerate(maps.rows)
    ]
    parts += [
        f'<g transform="translate({_LABEL_PX + side * column} {_HEAD_PX + side * row})">'
        f"{scatter_paths(scatter)}</g>"
        for (row, column), scatter in maps.cells.items()
    ]
    return f'<svg viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
