"""HDBSCAN: a model assigns the fitted points as HDBSCAN did, and later ones where they reach."""

import numpy as np
import pytest
from sklearn.cluster import HDBSCAN
from sklearn.datasets import make_moons

from artcluster.clustering.hdbscan import DensityClusters, density_clusters
from artcluster.clustering.model.fit import fit_model
from artcluster.clustering.model.model import ClusterModel
from artcluster.clustering.model.space import ModelSpace

SETTINGS = {"min_cluster_size": 12, "min_samples": 5}


def moons(seed: int) -> np.ndarray:
    x, _ = make_moons(300, noise=0.05, random_state=seed)
    far = np.random.default_rng(seed).uniform(-3, 4, size=(40, 2))
    return np.concatenate([x, far]).astype(np.float32)


@pytest.fixture(scope="module")
def found() -> DensityClusters:
    return density_clusters(moons(0), selection="eom", **SETTINGS)


@pytest.fixture(scope="module")
def model(found: DensityClusters) -> ClusterModel:
    return fit_model(
        moons(0),
        method="hdbscan",
        embedder_id="e",
        space=ModelSpace(2),
        centroids_KD=found.centroids_KD,
        rule=found.rule,
    )


def test_fitted_points_are_as_hdbscan_has_them(found: DensityClusters, model: ClusterModel) -> None:
    expected = HDBSCAN(**SETTINGS, copy=True).fit_predict(moons(0).astype(float))
    assert expected.max() == 1
    assert (expected == -1).sum() > 10
    np.testing.assert_array_equal(found.labels_N, expected)
    np.testing.assert_array_equal(model.predict(moons(0)).cluster, expected)


def test_later_points_go_where_they_reach(model: ClusterModel) -> None:
    later, which = make_moons(200, noise=0.05, random_state=7)
    on_a_moon = model.predict(later.astype(np.float32)).cluster
    held = on_a_moon >= 0
    assert held.mean() > 0.9
    assert len({*zip(on_a_moon[held].tolist(), which[held].tolist(), strict=True)}) == 2
    nowhere = model.predict(np.array([[9.0, 9.0], [0.5, -3.0]], np.float32))
    assert nowhere.cluster.tolist() == [-1, -1]
    assert nowhere.confidence.tolist() == nowhere.margin.tolist() == [0, 0]
    assert not nowhere.outlier.any()
    assert set(nowhere.second_cluster) <= {0, 1}


def test_files_bring_it_back(model: ClusterModel) -> None:
    loaded = ClusterModel.from_files(model.to_files())
    before, after = model.predict(moons(3)), loaded.predict(moons(3))
    for name, column in before.columns().items():
        np.testing.assert_array_equal(column, after.columns()[name])
    assert b'"format_version": 3' in model.to_files()["model.json"]


def test_noise_takes_no_part_in_thresholds(found: DensityClusters, model: ClusterModel) -> None:
    sure = model.predict(moons(0))
    held = sure.cluster >= 0
    assert sure.low_confidence[held].mean() == pytest.approx(0.05, abs=0.02)
    expected = moons(0)[found.labels_N == 1].mean(0)
    np.testing.assert_allclose(model.embedder_centroids_KD[1], expected, rtol=1e-4)


def test_equal_points_are_a_cluster() -> None:
    x = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    found = density_clusters(x, min_cluster_size=10, min_samples=3, selection="eom")
    assert found.labels_N.max() == 2
    assert (found.rule(found.rule.points_PD).numpy() == found.labels_N).all()


def test_nothing_dense_enough() -> None:
    x = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    with pytest.raises(ValueError, match="no cluster of at least 25"):
        density_clusters(x, min_cluster_size=25, min_samples=5, selection="eom")
    with pytest.raises(ValueError, match="more than the 30 points"):
        density_clusters(x, min_cluster_size=40, min_samples=5, selection="eom")
