"""Calinski-Harabasz and inertia against scikit-learn; any split into batches equals the whole."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import calinski_harabasz_score

from artcluster.metrics.dispersion import DispersionStatistic, calinski_harabasz, inertia

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(4, size=200)
POINTS = (GENERATOR.normal(size=(200, 3)) + LABELS[:, None]).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_equals_sklearn(offset: float) -> None:
    points = (POINTS + np.float32(offset)).astype(np.float32)
    reference = calinski_harabasz_score(points.astype(np.float64), LABELS)
    assert calinski_harabasz(points, LABELS, batch=7) == pytest.approx(reference, rel=1e-9)


@given(st.lists(st.integers(0, 200), max_size=6), st.randoms())
def test_any_split_equals_the_whole(cuts: list[int], random: object) -> None:
    whole = DispersionStatistic(4, 3)
    whole.update(POINTS, LABELS)
    bounds = [0, *sorted(cuts), 200]
    parts = []
    for start, end in itertools.pairwise(bounds):
        part = DispersionStatistic(4, 3)
        part.update(POINTS[start:end], LABELS[start:end])
        parts.append(part)
    random.shuffle(parts)  # type: ignore[attr-defined]
    merged = DispersionStatistic(4, 3)
    for part in parts:
        merged.merge(part)
    one, other = whole.compute(), merged.compute()
    assert other.calinski_harabasz == pytest.approx(one.calinski_harabasz, rel=1e-12)
    assert other.inertia == pytest.approx(one.inertia, rel=1e-12)
    assert other.sizes_K.tolist() == one.sizes_K.tolist()
    assert np.allclose(other.centroids_KD, one.centroids_KD, rtol=1e-12)


def test_inertia_is_about_the_means() -> None:
    statistic = DispersionStatistic(4, 3)
    statistic.update(POINTS, LABELS)
    found = statistic.compute()
    assert inertia(POINTS, LABELS, found.centroids_KD) == pytest.approx(found.inertia, rel=1e-12)
    total = np.square(POINTS.astype(np.float64) - POINTS.astype(np.float64).mean(0)).sum()
    assert found.inertia + found.between == pytest.approx(total)


def test_noise_and_empty_clusters_take_no_part() -> None:
    points = np.concatenate([POINTS, np.full((5, 3), 1e6, np.float32)])
    labels = np.concatenate([LABELS, np.full(5, -1)])
    statistic = DispersionStatistic(9, 3)
    statistic.update(points, labels)
    found = statistic.compute()
    assert found.calinski_harabasz == pytest.approx(calinski_harabasz(POINTS, LABELS))
    assert found.sizes_K.sum() == 200
    assert np.isnan(found.centroids_KD[4:]).all()
    assert inertia(points, labels, found.centroids_KD) == pytest.approx(found.inertia)


def test_where_it_is_not_defined() -> None:
    assert np.isnan(calinski_harabasz(POINTS, np.zeros(200, dtype=int)))
    assert np.isnan(calinski_harabasz(POINTS[:3], np.arange(3)))
    assert calinski_harabasz(np.ones((4, 2)), np.array([0, 0, 1, 1])) == 1.0
    assert calinski_harabasz(np.array([[0.0], [0.0], [1.0]]), np.array([0, 0, 1])) == np.inf
    assert np.isnan(DispersionStatistic(2, 2).compute().calinski_harabasz)


def test_wrong_use() -> None:
    statistic = DispersionStatistic(2, 3)
    with pytest.raises(ValueError, match=r"expected points of shape \(n, 3\)"):
        statistic.update(np.ones((2, 4)), np.array([0, 1]))
    with pytest.raises(ValueError, match="-1 … 1"):
        statistic.update(np.ones((1, 3)), np.array([2]))
    with pytest.raises(ValueError, match="cannot merge"):
        statistic.merge(DispersionStatistic(2, 4))
