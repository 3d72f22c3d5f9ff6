"""Findings as plain data: sections of tables, charts and maps, drawn in several ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from artcluster.report.content import Chart
from artcluster.report.gallery import Gallery
from artcluster.report.points import Points


@dataclass(frozen=True)
class Table:
    """A table of texts; all columns but the first hold figures.

    Attributes:
        title: What it holds; '' where the section says it.
        columns: Headings.
        rows: Cells.
        best: Row and column of cells to stress.
        text: How to read it.
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
        title: What is counted.
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
        title: What it holds.
        corner: What the rows are.
        columns: Headings.
        rows: Headings.
        cells: Text and shade of each, the shade 0 to 1; None for an empty one.
        text: How to read it.
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
        rows: A name each.
        columns: A name each.
        cells: By row and column; one that is missing is left empty.
        text: What they show.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    cells: Mapping[tuple[int, int], Scatter]
    text: str = ""


Block = Table | Bars | Heat | Maps | Chart | Points | Gallery


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
        title: Its heading.
        lead: What it is about.
        sections: In order.
        foot: What it was made of, at its end.
    """

    title: str
    lead: str
    sections: Sequence[Section] = field(default=())
    foot: str = ""
