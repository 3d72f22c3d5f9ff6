"""Two numbers of each thing as points with axes, so that one sees whether they go together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from artcluster.report.charts import ticks

_WIDTH, _HEIGHT = 640, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 24, 20, 48
_NAMED = 40


@dataclass(frozen=True)
class Points:
    """Named points.

    Attributes:
        title: What they show.
        x_label: Across; drawn by powers of ten.
        y_label: Upward.
        items: Name, x above 0, and y of each.
        text: How to read it.
    """

    title: str
    x_label: str
    y_label: str
    items: Sequence[tuple[str, float, float]]
    text: str = ""


def points_svg(points: Points) -> str:
    """Draw points with their names; of very many, a name shows under the pointer alone."""
    xs = [math.log10(x) for _, x, _ in points.items]
    ys = [y for _, _, y in points.items]
    across = _Axis(xs, _LEFT, _WIDTH - _RIGHT)
    upward = _Axis(ys, _HEIGHT - _BOTTOM, _TOP)
    told = "; ".join(f"{name}: {x:g}, {y:.4g}" for name, x, y in points.items)
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(f"{points.title}. {told}")}">'
    ]
    for tick in ticks(upward.low, upward.high):
        y = upward(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick end" x="{_LEFT - 8}" y="{y + 4:.1f}">{tick:,g}</text>')
    for value in _round_values(across.low, across.high):
        x = across(math.log10(value))
        parts.append(f'<path class="grid" d="M{x:.1f} {_HEIGHT - _BOTTOM}v5"/>')
        parts.append(
            f'<text class="tick mid" x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 19}">{value:,g}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text class="tick mid" x="{middle}" y="{_HEIGHT - 6}">{escape(points.x_label)}</text>'
    )
    parts.append(f'<text class="tick" x="4" y="12">{escape(points.y_label)}</text>')
    lowest = -math.inf
    for name, x, y in sorted(points.items, key=lambda item: -item[2]):
        left, top = across(math.log10(x)), upward(y)
        parts.append(
            f'<circle class="mark s0" cx="{left:.1f}" cy="{top:.1f}" r="4">'
            f"<title>{escape(f'{name}: {x:,g}, {y:.4g}')}</title></circle>"
        )
        if len(points.items) <= _NAMED:
            # Names one below the other, where points are too close together.
            lowest = max(top, lowest + 11)
            right = left > (_LEFT + _WIDTH) / 2
            x_px, side = (left - 8, " end") if right else (left + 8, "")
            parts.append(
                f'<text class="tick{side}" x="{x_px:.1f}" y="{lowest + 4:.1f}">'
                f"{escape(name)}</text>"
            )
    return "".join(parts) + "</svg>"


def _round_values(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten between two exponents.

    >>> _round_values(0.9, 2.1)
    [10.0, 20.0, 50.0, 100.0]
    """
    powers = range(math.floor(low), math.ceil(high) + 1)
    values = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    inside = [value for value in values if low <= math.log10(value) <= high]
    return inside or [10**low, 10**high]


class _Axis:
    """A linear scale with some air at its ends."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        pad = (max(values) - min(values)) * 0.08 or abs(max(values)) * 0.1 or 1.0
        self.low, self.high = min(values) - pad, max(values) + pad
        self._start = start
        self._factor = (end - start) / (self.high - self.low)

    def __call__(self, value: float) -> float:
        return self._start + (value - self.low) * self._factor
