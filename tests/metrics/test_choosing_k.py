"""The elbow, stability, and what is recommended of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from artcluster.metrics.choosing_k import Candidate, elbow, mean_ari, mean_ari_with, recommend

ROWS = [
    Candidate(2, 2, 0.20, 50.0, 100.0, 0.9),
    Candidate(3, 3, 0.30, 60.0, 40.0, 0.8),
    Candidate(4, 4, 0.25, 55.0, 30.0, 0.7),
    Candidate(5, 5, 0.10, 20.0, 25.0, 0.6),
]


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [
        ([2, 3, 4, 5, 6], [100, 40, 30, 25, 22], 1),
        ([2, 3, 4, 5], [100, 90, 30, 20], 2),
        ([2, 4, 8, 16], [100, 50, 45, 44], 1),
        ([2, 3, 4], [3, 2, 1], None),
        ([2, 3], [3, 1], None),
        ([2, 3, 4], [1, 2, 3], None),
        ([2, 3, 4], [3, math.nan, 1], None),
    ],
)
def test_elbow(x: list[float], y: list[float], place: int | None) -> None:
    assert elbow(x, y) == place


def test_the_scale_of_the_axes_does_not_move_the_elbow() -> None:
    y = np.array([100.0, 60.0, 30.0, 25.0, 22.0])
    assert elbow([2, 3, 4, 5, 6], y.tolist()) == elbow([20, 30, 40, 50, 60], (7 + y * 1e6).tolist())


def test_the_best_mean_rank_is_recommended() -> None:
    found = recommend(ROWS)
    assert (found.k, found.elbow) == (3, 3)
    assert "stability alone would take 2" in found.reason


def test_collapsed_clusters_are_not_recommended() -> None:
    collapsed = [ROWS[0], replace(ROWS[1], non_empty=2), *ROWS[2:]]
    found = recommend(collapsed)
    assert found.k != 3
    assert "1 of 4" in found.reason
    assert recommend([replace(row, non_empty=1) for row in ROWS]).k == 3


def test_what_is_not_known_takes_no_part() -> None:
    blind = [replace(row, stability=math.nan) for row in ROWS]
    assert "stability" not in recommend(blind).reason
    nothing = [Candidate(k, k, math.nan, math.nan, math.nan, math.nan) for k in (4, 5)]
    assert recommend(nothing).k == 4


def test_mean_ari_is_that_of_sklearn_over_common_points() -> None:
    random = np.random.default_rng(0)
    parts = [random.integers(0, 3, 40) for _ in range(3)]
    expected = np.mean(
        [adjusted_rand_score(parts[a], parts[b]) for a, b in [(0, 1), (0, 2), (1, 2)]]
    )
    assert mean_ari(parts) == pytest.approx(expected)
    holed = parts[1].copy()
    holed[:10] = -2
    assert mean_ari_with(parts[0], [holed]) == pytest.approx(
        adjusted_rand_score(parts[0][10:], parts[1][10:])
    )
    assert math.isnan(mean_ari(parts[:1]))
