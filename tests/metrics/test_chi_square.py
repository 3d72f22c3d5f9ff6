"""Mean chi-square distances against a plain loop."""

import math

import numpy as np
import pytest

from artcluster.metrics import correlation as chi_square
from artcluster.metrics.correlation import mean_chi_square


def naive(x: np.ndarray, y: np.ndarray) -> float:
    return 0.5 * sum((a - b) ** 2 / (a + b) for a, b in zip(x, y, strict=True) if a + b > 0)


@pytest.mark.parametrize("block", [1 << 24, 16])
def test_means_over_pairs(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(chi_square, "_PAIR_NUMBERS", block)
    random = np.random.default_rng(1)
    a, b = (random.dirichlet(np.full(6, 0.2), count).round(2) for count in (5, 3))
    within = np.mean([naive(a[i], a[j]) for i in range(5) for j in range(5) if i != j])
    assert mean_chi_square(a) == pytest.approx(within)
    between = np.mean([naive(x, y) for x in a for y in b])
    assert mean_chi_square(a, b) == pytest.approx(between)


def test_without_a_pair_there_is_no_mean() -> None:
    assert math.isnan(mean_chi_square(np.ones((1, 4)) / 4))
    assert math.isnan(mean_chi_square(np.ones((0, 4)), np.ones((2, 4)) / 4))
