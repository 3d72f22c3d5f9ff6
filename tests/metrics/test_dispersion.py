"""Calinski-Harabasz and inertia against scikit-learn and hand-worked values."""

import numpy as np
import pytest
from sklearn.metrics import calinski_harabasz_score

from artcluster.metrics.dispersion import dispersion, inertia

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(4, size=200)
POINTS = (GENERATOR.normal(size=(200, 3)) + LABELS[:, None]).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_equals_sklearn(offset: float) -> None:
    points = (POINTS + np.float32(offset)).astype(np.float32)
    reference = calinski_harabasz_score(points.astype(np.float64), LABELS)
    assert dispersion(points, LABELS).calinski_harabasz == pytest.approx(reference, rel=1e-9)


def test_inertia_is_about_the_means() -> None:
    means = np.array([POINTS[cluster == LABELS].astype(np.float64).mean(0) for cluster in range(4)])
    assert dispersion(POINTS, LABELS).inertia == pytest.approx(inertia(POINTS, LABELS, means))
    assert inertia(POINTS, LABELS, means + 1) > inertia(POINTS, LABELS, means)


def test_noise_and_numbers_of_clusters_do_not_matter() -> None:
    points = np.concatenate([POINTS, np.full((5, 3), 1e6, np.float32)])
    labels = np.concatenate([LABELS * 3, np.full(5, -1)])
    assert dispersion(points, labels) == dispersion(POINTS, LABELS)
    assert inertia(points, labels, np.zeros((12, 3))) == inertia(POINTS, LABELS, np.zeros((4, 3)))


def test_where_it_is_not_defined() -> None:
    assert np.isnan(dispersion(POINTS, np.zeros(200, dtype=int)).calinski_harabasz)
    assert np.isnan(dispersion(POINTS[:3], np.arange(3)).calinski_harabasz)
    assert np.isnan(dispersion(POINTS[:3], np.full(3, -1)).calinski_harabasz)
    assert dispersion(np.ones((4, 2)), np.array([0, 0, 1, 1])).calinski_harabasz == 1.0
    points = np.array([[0.0], [0.0], [1.0]])
    assert dispersion(points, np.array([0, 0, 1])).calinski_harabasz == np.inf


def test_wrong_use() -> None:
    with pytest.raises(ValueError, match=r"\(2, 4\), \(3,\)"):
        dispersion(np.ones((2, 4)), np.array([0, 1, 1]))
