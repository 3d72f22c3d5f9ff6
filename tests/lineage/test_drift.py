"""Drift by hand."""

import math

import numpy as np
import pytest

from artcluster.lineage.drift import Profile, drift, population_stability_index, total_variation


def profile(*sizes: int, low: float = 0.05, out: float = 0.01, distance: float = 1.0) -> Profile:
    return Profile(dict(enumerate(sizes)), low, out, distance)


def test_the_same_again_has_not_drifted() -> None:
    found = drift(profile(30, 70), profile(30, 70))
    assert (found.size_shift, found.size_psi, found.growth) == (0, 0, 0)
    assert (found.low_confidence_rise, found.outlier_rise, found.distance_ratio) == (0, 0, 1)


def test_shares_count_and_not_numbers() -> None:
    assert drift(profile(30, 70), profile(60, 140)).size_shift == 0
    assert drift(profile(30, 70), profile(60, 140)).growth == 1


def test_by_hand() -> None:
    found = drift(profile(20, 80), profile(50, 50, low=0.15, out=0.06, distance=1.5))
    assert found.size_shift == pytest.approx(0.3)
    assert found.size_psi == pytest.approx(0.3 * math.log(2.5) - 0.3 * math.log(0.625))
    assert found.low_confidence_rise == pytest.approx(0.10)
    assert found.outlier_rise == pytest.approx(0.05)
    assert found.distance_ratio == 1.5


def test_a_cluster_that_was_empty_is_no_division_by_zero() -> None:
    found = drift(profile(100, 0, distance=0), profile(90, 10))
    assert math.isfinite(found.size_psi)
    assert found.distance_ratio is None


def test_measures_are_symmetric_and_bounded() -> None:
    p_K, q_K = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert total_variation(p_K, q_K) == 1
    assert population_stability_index(p_K, q_K) == population_stability_index(q_K, p_K) > 0


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="none"):
        drift(profile(0), profile(1))
