"""Figures as tables of findings write them."""

import math
from collections.abc import Sequence


def figure(value: float | None) -> str:
    """Write a number with three decimals, fewer where it is large; a dash for none.

    >>> figure(0.12345), figure(1234.5), figure(7), figure(None)
    ('0.123', '1,234', '7', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 1000 else f"{value:.1f}" if size >= 10 else f"{value:.3f}"


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of those that are known; None where none is.

    >>> mean_of([1, None, 3]), mean_of([None])
    (2.0, None)
    """
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def spread_of(values: Sequence[float | None]) -> float | None:
    """Return the standard deviation (of the sample); None for fewer than two known values.

    >>> spread_of([1, 3, None])
    1.4142135623730951
    """
    known = [float(value) for value in values if value is not None]
    if len(known) < 2:
        return None
    mean = sum(known) / len(known)
    return math.sqrt(sum((value - mean) ** 2 for value in known) / (len(known) - 1))


def with_spread(values: Sequence[float | None]) -> str:
    """Write the mean and, where there are several values, their standard deviation.

    >>> with_spread([0.25, 0.35]), with_spread([0.25])
    ('0.300 ± 0.071', '0.250')
    """
    spread = spread_of(values)
    mean = figure(mean_of(values))
    return mean if spread is None else f"{mean} ± {figure(spread)}"


def share_of_largest(values: Sequence[float | None]) -> list[float | None]:
    """Divide by the largest value; DCEC-Paint's way to show the Calinski-Harabasz index.

    >>> share_of_largest([5.0, None, 10.0])
    [0.5, None, 1.0]
    """
    known = [value for value in values if value is not None]
    largest = max(known, default=0.0)
    return [None if value is None or largest <= 0 else value / largest for value in values]


def bytes_text(count: int | None) -> str:
    """Write a number of bytes in MB; a dash for none.

    >>> bytes_text(1_500_000_000)
    '1,500 MB'
    """
    return "–" if count is None else f"{count / 1e6:,.0f} MB"
