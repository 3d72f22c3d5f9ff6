"""How much two measures of the same things go together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_LEAST = 3


@dataclass(frozen=True)
class Correlation:
    """Two coefficients, −1 to 1.

    Attributes:
        pearson: Of the numbers: 1 on a rising line.
        spearman: Of their ranks: 1 where one never falls as the other rises.
        count: Pairs.
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
