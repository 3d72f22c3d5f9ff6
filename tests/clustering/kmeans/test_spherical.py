"""Spherical k-means: a fixed point by the cosine, never worse than k-means' directions."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.clustering.kmeans.spherical import spherical_kmeans


@pytest.fixture(scope="module")
def directions() -> np.ndarray:
    x = load_digits().data[:500].astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_it_ends_at_a_fixed_point(directions: np.ndarray) -> None:
    found = spherical_kmeans(directions, 8, restarts=3)
    cosines = directions @ found.centroids_KD.T
    np.testing.assert_array_equal(found.labels_N, cosines.argmax(1))
    np.testing.assert_allclose(np.linalg.norm(found.centroids_KD, axis=1), 1, rtol=1e-5)
    assert found.inertia == pytest.approx(2 * (1 - cosines.max(1)).sum(), rel=1e-4)
    for cluster in range(8):
        mean = directions[found.labels_N == cluster].mean(0)
        expected = mean / np.linalg.norm(mean)
        np.testing.assert_allclose(found.centroids_KD[cluster], expected, atol=1e-5)
    assert found.inertia == min(found.restart_inertias)


def test_it_is_no_worse_than_the_directions_of_k_means(directions: np.ndarray) -> None:
    plain = kmeans(directions, 8, restarts=10, seed=0).centroids_KD
    start = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    found = spherical_kmeans(directions, 8, init_KD=plain)
    assert found.inertia <= 2 * (1 - (directions @ start.T).max(1)).sum() + 1e-3
    assert len(found.restart_inertias) == 1


def test_the_seed_decides_and_zeros_are_borne(directions: np.ndarray) -> None:
    x = np.vstack([directions[:100], np.zeros((3, 64), np.float32)])
    one, same, other = (spherical_kmeans(x, 4, restarts=1, seed=seed) for seed in (1, 1, 5))
    np.testing.assert_array_equal(one.centroids_KD, same.centroids_KD)
    assert not np.array_equal(one.centroids_KD, other.centroids_KD)
    assert np.isfinite(one.centroids_KD).all()
