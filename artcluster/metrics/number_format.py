"""Numbers as people read them, and means and spreads of several."""

import math
from collections.abc import Sequence


def decimal(value: float | None) -> str:
    """Write a number with three decimals, fewer where it is large; a dash for none.

    >>> decimal(0.12345), decimal(12.34), decimal(1234.5), decimal(7), decimal(None)
    ('0.123', '12.3', '1,234', '7', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 1000 else f"{value:.1f}" if size >= 10 else f"{value:.3f}"


def fraction(value: float) -> str:
    """Write a number from −1 to 1, small ones with a fourth decimal.

    >>> fraction(0.12345), fraction(0.0108)
    ('0.123', '0.0108')
    """
    return f"{value:.4f}" if 0.001 <= abs(value) < 0.1 else f"{value:.3f}"


def percent(share: float) -> str:
    """Write a share.

    >>> percent(0.051)
    '5 %'
    """
    return f"{100 * share:.0f} %"


def megabytes(count: float) -> str:
    """Write a number of bytes in MB.

    >>> megabytes(1_500_000_000)
    '1,500 MB'
    """
    return f"{count / 1e6:,.0f} MB"


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of those that are known; None where none is.

    >>> mean_of([1, None, 3]), mean_of([None])
    (2.0, None)
    """
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def largest_of(values: Sequence[float | None]) -> float | None:
    """Return the largest of those that are known; None where none is."""
    return max((value for value in values if value is not None), default=None)


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


def shares_of_largest(values: Sequence[float | None]) -> list[float | None]:
    """Divide by the largest value; DCEC-Paint's way to show the Calinski-Harabasz index.

    >>> shares_of_largest([5.0, None, 10.0])
    [0.5, None, 1.0]
    """
    largest = largest_of(values) or 0.0
    return [None if value is None or largest <= 0 else value / largest for value in values]
