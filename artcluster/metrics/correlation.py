"""How much two measures of the same things go together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_PAIR_NUMBERS = 1 << 24


def mean_chi_square(a_ND: np.ndarray, b_MD: np.ndarray | None = None) -> float:
    """Return the mean of ½ Σ (x − y)² / (x + y) over pairs; NaN where there is no pair.

    Bins that are empty in both count as nothing. Distances are computed in blocks, each pair once.

    Args:
        a_ND: Histograms, each summing to one.
        b_MD: Others, for pairs of one of each; None for pairs of two different rows of `a_ND`.

    Returns:
        0 (all alike) to 1 (no bin in common).

    >>> a = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    >>> mean_chi_square(a[:2]), round(mean_chi_square(a[:1], a[2:]), 4)
    (1.0, 0.3333)
    """
    within = b_MD is None
    other = a_ND if b_MD is None else b_MD
    pairs = len(a_ND) * (len(a_ND) - 1) if within else len(a_ND) * len(other)
    if pairs <= 0:
        return float("nan")
    rows = max(1, _PAIR_NUMBERS // max(1, other.size))
    total = 0.0
    for start in range(0, len(a_ND), rows):
        some = a_ND[start : start + rows, None, :].astype(np.float64)
        sums = some + other[None]
        ratio = np.divide((some - other[None]) ** 2, sums, out=np.zeros_like(sums), where=sums > 0)
        total += 0.5 * float(ratio.sum())
    # A row's distance from itself is 0, and adds nothing.
    return total / pairs


_LEAST = 3


@dataclass(frozen=True)
class Correlation:
    """Two coefficients, −1 to 1.

    Attributes:
        pearson: Of the numbers: 1 on a rising line.
        spearman: Of their ranks: 1 where one never falls as the other rises.
    """

    pearson: float
    spearman: float
    count: int


def correlation(xs: Sequence[float], ys: Sequence[float]) -> Correlation | None:
    """Correlate pairs of numbers; None for fewer than three, or where one does not vary.

    Raises:
        ValueError: There are not as many of one as of the other.

    >>> correlation([1, 2, 3, 4], [2, 4, 6, 9]).spearman
    1.0
    >>> correlation([1, 1, 1], [1, 2, 3]) is None
    True
    """
    if len(xs) != len(ys):
        raise ValueError(f"expected as many xs as ys, got {len(xs)} and {len(ys)}")
    if len(xs) < _LEAST or np.ptp(xs) == 0 or np.ptp(ys) == 0:
        return None
    pearson, spearman = stats.pearsonr(xs, ys), stats.spearmanr(xs, ys)
    return Correlation(
        round(float(pearson.statistic), 12), round(float(spearman.statistic), 12), len(xs)
    )
