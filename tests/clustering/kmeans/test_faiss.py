"""FAISS's k-means against ours: the same clusters on data that has some."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from artcluster.clustering.kmeans.faiss import kmeans_by_faiss
from artcluster.clustering.kmeans.kmeans import kmeans


def test_it_finds_as_good_clusters() -> None:
    x = load_digits().data.astype(np.float32)
    ours = kmeans(x, 10, restarts=10, gpu=False)
    theirs = kmeans_by_faiss(x, 10, restarts=10, gpu=False)
    assert theirs.inertia == pytest.approx(ours.inertia, rel=0.005)
    assert len(theirs.restart_inertias) == 10
    assert theirs.inertia <= min(theirs.restart_inertias) * (1 + 1e-6)
    assert theirs.non_empty == 10


def test_the_seed_decides() -> None:
    x = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    found = [kmeans_by_faiss(x, 4, restarts=2, seed=seed, gpu=False) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(found[0].centroids_KD, found[1].centroids_KD)
    assert not np.array_equal(found[0].centroids_KD, found[2].centroids_KD)


@pytest.mark.parametrize("x", [np.zeros((2, 3)), np.full((9, 3), np.nan)])
def test_points_that_do_not_fit(x: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least 3 finite points"):
        kmeans_by_faiss(x, 3, gpu=False)
