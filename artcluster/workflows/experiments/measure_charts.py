"""Measures drawn over the number of clusters."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from artcluster.metrics.measures import Measure
from artcluster.pages.content import Chart, Curve

Points = Sequence[tuple[float, float | None]]


def measure_chart(
    measure: Measure, curves: Mapping[str, Points], *, label: str = "", least_points: int = 1
) -> Chart | None:
    """Return the curves of a measure over the number of clusters; None where there is none.

    Args:
        curves: By name, numbers of clusters with the measure's values.
        label: The label that it compares clusters with; '' for none.
        least_points: Curves of fewer are left out.
    """
    heading = f"{measure.heading}, {label}" if label else measure.heading
    text = measure.meaning + (" By powers of ten." if measure.log else "")
    drawn = [
        Curve(name, known)
        for name, points in curves.items()
        if len(known := [(k, y) for k, y in points if y is not None and (y > 0 or not measure.log)])
        >= least_points
    ]
    return Chart(heading, text, "clusters", heading, drawn, log=measure.log) if drawn else None


def known_charts(charts: Iterable[Chart | None]) -> list[Chart]:
    """Leave out charts without a curve."""
    return [chart for chart in charts if chart is not None]


def with_kept_share(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `sweeps` or `comparisons` with the share of its clusters that kept members.

    >>> with_kept_share({"k": 4, "non_empty": 3})["kept_share"]
    0.75
    """
    return {**row, "kept_share": min(1.0, row["non_empty"] / row["k"])}
