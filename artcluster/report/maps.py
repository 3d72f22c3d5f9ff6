"""Small maps as SVG: a path of dots for each group, without inline styles."""

from html import escape

from artcluster.report.colours import cluster_colour
from artcluster.report.findings import MAP_SIDE, Maps, Scatter

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
