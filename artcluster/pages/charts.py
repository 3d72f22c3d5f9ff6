"""Charts as SVG, drawn without inline styles, so that the strictest policy shows them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from artcluster.pages.content import Chart

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 44
_BARS_WIDTH, _BARS_HEIGHT = 320, 96
_MOST_LABELS, _MOST_MARKS = 20, 40


def line_chart(chart: Chart) -> str:
    """Draw the curves of a chart, with axes, points that tell their values, and a legend."""
    xs = [x for curve in chart.curves for x, _ in curve.points]
    height = _log_height if chart.log else float
    ys = [height(y) for curve in chart.curves for _, y in curve.points]
    low, high = min(ys), max(ys)
    pad = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    x_scale = _scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    y_scale = _scale(low - pad, high + pad, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(_spoken(chart))}">'
    ]
    for tick in _whole(low - pad, high + pad) if chart.log else ticks(low - pad, high + pad):
        y = y_scale(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        text = f"{float(f'{10**tick:.3g}') if chart.log else tick:,g}"
        parts.append(f'<text class="tick end" x="{_LEFT - 8}" y="{y + 4:.1f}">{text}</text>')
    for tick in _across(xs):
        x = x_scale(tick)
        parts.append(f'<text class="tick mid" x="{x:.1f}" y="{_HEIGHT - 22}">{tick:g}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text class="tick mid" x="{middle}" y="{_HEIGHT - 4}">{escape(chart.x_label)}</text>'
    )
    for number, curve in enumerate(chart.curves):
        places = [(x_scale(x), y_scale(height(y))) for x, y in curve.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line {_series(number)}" points="{line}"/>')
        if len(curve.points) > _MOST_MARKS:
            continue
        for (x, y), (across, down) in zip(curve.points, places, strict=True):
            text = f"{curve.title}, {x:g} {chart.x_label}: {y:,.4g}"
            parts.append(
                f'<circle class="mark {_series(number)}" cx="{across:.1f}" cy="{down:.1f}" '
                f'r="4"><title>{escape(text)}</title></circle>'
            )
    parts.append("</svg>")
    legend = "".join(
        f'<li><span class="key {_series(number)}"></span>{escape(curve.title)}</li>'
        for number, curve in enumerate(chart.curves)
    )
    return "".join(parts) + f'<ul class="chart-legend">{legend}</ul>'


def _across(xs: Sequence[float]) -> list[float]:
    """Return the places of the labels across: every x, of many round ones alone."""
    distinct = sorted(set(xs))
    return distinct if len(distinct) <= _MOST_LABELS else ticks(distinct[0], distinct[-1], 10)


def histogram(counts: Sequence[int], end: float, label: str, of: str) -> str:
    """Draw counts of something in equal steps from 0 to `end` as bars."""
    most = max(max(counts), 1)
    step = _BARS_WIDTH / len(counts)
    total = max(sum(counts), 1)
    width = end / len(counts)
    spans = [f"{place * width:.2f}–{(place + 1) * width:.2f}" for place in range(len(counts))]
    bars = "".join(
        f'<rect class="bar" x="{place * step + 1:.1f}" '
        f'y="{_BARS_HEIGHT * (1 - count / most):.1f}" width="{step - 2:.1f}" '
        f'height="{_BARS_HEIGHT * count / most:.1f}">'
        f"<title>{span}: {count:,} {escape(of)}</title></rect>"
        for place, (span, count) in enumerate(zip(spans, counts, strict=True))
    )
    shares = ", ".join(
        f"{span}: {count / total:.0%}" for span, count in zip(spans, counts, strict=True) if count
    )
    base = _BARS_HEIGHT + 16
    return (
        f'<svg class="chart bars" viewBox="0 0 {_BARS_WIDTH} {_BARS_HEIGHT + 22}" role="img" '
        f'aria-label="{escape(label)}, {escape(shares)}">{bars}'
        f'<path class="grid" d="M0 {_BARS_HEIGHT}H{_BARS_WIDTH}"/>'
        f'<text class="tick" x="0" y="{base}">0</text>'
        f'<text class="tick mid" x="{_BARS_WIDTH / 2}" y="{base}">{escape(label)}</text>'
        f'<text class="tick end" x="{_BARS_WIDTH}" y="{base}">{end:g}</text></svg>'
    )


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers between two.

    >>> ticks(0.03, 0.47)
    [0.1, 0.2, 0.3, 0.4]
    """
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _series(number: int) -> str:
    """Return the classes of a curve: one of six colours, then dashed ones."""
    return f"s{number % 6}" if number < 6 else f"s{number % 6} d{number // 6 % 3}"


def _log_height(value: float) -> float:
    return math.log10(max(value, 1e-12))


def _whole(low: float, high: float) -> list[float]:
    """Return the powers of ten between two; where there are not two of them, round numbers."""
    powers = [float(power) for power in range(math.ceil(low), math.floor(high) + 1)]
    return powers if len(powers) > 1 else ticks(low, high, 3)


def _scale(low: float, high: float, start: float, end: float) -> "_Scale":
    return _Scale(low, (end - start) / ((high - low) or 1.0), start)


class _Scale:
    """A linear scale."""

    def __init__(self, low: float, factor: float, start: float) -> None:
        self._low, self._factor, self._start = low, factor, start

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) * self._factor


def _spoken(chart: Chart) -> str:
    text = "; ".join(
        f"{curve.title}: " + ", ".join(f"{x:g}: {y:.4g}" for x, y in curve.points)
        for curve in chart.curves
    )
    return f"{chart.title}. {text}"


_SCATTER_WIDTH, _SCATTER_HEIGHT = 640, 340

_SCATTER_LEFT, _SCATTER_RIGHT, _SCATTER_TOP, _SCATTER_BOTTOM = 72, 24, 20, 48

_NAMED = 40


@dataclass(frozen=True)
class Points:
    """Named points.

    Attributes:
        x_label: Across; drawn by powers of ten.
        y_label: Upward.
        items: Name, x above 0, and y of each.
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
    across = _Axis(xs, _SCATTER_LEFT, _SCATTER_WIDTH - _SCATTER_RIGHT)
    upward = _Axis(ys, _SCATTER_HEIGHT - _SCATTER_BOTTOM, _SCATTER_TOP)
    text = "; ".join(f"{name}: {x:g}, {y:.4g}" for name, x, y in points.items)
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(f"{points.title}. {text}")}">'
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
    middle = (_SCATTER_LEFT + _SCATTER_WIDTH - _SCATTER_RIGHT) / 2
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
            right = left > (_SCATTER_LEFT + _SCATTER_WIDTH) / 2
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
