"""Labels and pairs: what follows from them, the metric they teach, k-means that obeys them."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from artcluster.clustering.kmeans.guided import (
    Constraints,
    ContradictionError,
    constrained_kmeans,
    constraints,
    relevant_components,
)
from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.metrics.agreement import label_agreement


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    loaded = load_digits()
    return (loaded.data[:600] / 16).astype(np.float32), loaded.target[:600]


def test_what_follows_is_closed() -> None:
    found = constraints({}, must=[(1, 2), (2, 3), (8, 9)], cannot=[(3, 9), (4, 1)])
    assert [rows.tolist() for rows in found.groups] == [[1, 2, 3], [4], [8, 9]]
    assert found.apart_GG.astype(int).tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert found.rows.tolist() == [1, 2, 3, 4, 8, 9]


@pytest.mark.parametrize(
    "given",
    [
        {"labels": {}, "must": [(0, 1), (1, 2)], "cannot": [(2, 0)]},
        {"labels": {0: "a", 5: "b"}, "must": [(0, 5)]},
    ],
)
def test_contradictions_are_named(given: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(ContradictionError) as wrong:
        constraints(**given)
    assert set(wrong.value.rows) <= {0, 2, 5}


def test_nothing_is_said_at_all() -> None:
    x = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    free = constrained_kmeans(x, 3, constraints({}), restarts=8)
    plain = kmeans(x, 3, restarts=8, seed=0)
    assert free.broken == 0
    assert free.inertia == pytest.approx(plain.inertia, rel=0.02)


def test_constraints_hold(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, truth = digits
    given = constraints(
        {row: str(truth[row]) for row in range(40)}, must=[(50, 51)], cannot=[(50, 52)]
    )
    found = constrained_kmeans(x, 10, given, restarts=3)
    assert found.broken == 0
    for rows in given.groups:
        assert len(set(found.labels_N[rows])) == 1
    labels = found.labels_N
    assert labels[50] != labels[52]
    assert label_agreement(labels[:40], truth[:40].tolist()).accuracy == 1
    # What is free goes to the nearest mean.
    free = np.setdiff1d(np.arange(600), given.rows)
    means = np.stack([x[labels == cluster].mean(0) for cluster in range(10)])
    np.testing.assert_allclose(found.centroids_KD, means, atol=1e-3)
    nearest = ((x[free][:, None] - found.centroids_KD[None]) ** 2).sum(2).argmin(1)
    assert (nearest == labels[free]).mean() > 0.999


def test_more_that_is_apart_than_there_are_clusters() -> None:
    x = np.arange(4, dtype=np.float32)[:, None]
    apart = Constraints(tuple(np.array([row]) for row in range(4)), ~np.eye(4, dtype=bool))
    found = constrained_kmeans(x, 3, apart, restarts=2)
    assert found.broken == 1
    assert len(set(found.labels_N)) == 3


def test_hints_help_with_what_was_not_told(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, truth = digits
    given = constraints({row: str(truth[row]) for row in range(60)})
    metric = relevant_components(x, given.groups)
    z = (x @ metric).astype(np.float32)
    rest = truth[60:].tolist()
    told = label_agreement(constrained_kmeans(z, 10, given, restarts=3).labels_N[60:], rest)
    untold = label_agreement(kmeans(x, 10, restarts=10, seed=0).labels_N[60:], rest)
    assert told.nmi > untold.nmi
    assert told.ari > untold.ari + 0.02


def test_the_metric_whitens_what_varies_within_groups() -> None:
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(3, 3))
    centres = generator.normal(size=(400, 1, 3)) * 9
    z = (centres + generator.normal(size=(400, 5, 3)) @ mixing).reshape(2000, 3)
    groups = np.arange(2000).reshape(400, 5)
    metric = relevant_components(z, list(groups))
    offsets = (z.reshape(400, 5, 3) - z.reshape(400, 5, 3).mean(1, keepdims=True)) @ metric
    covariance = np.cov(offsets.reshape(2000, 3).T)
    np.testing.assert_allclose(covariance / covariance[0, 0], np.eye(3), atol=0.02)
    assert np.linalg.det(metric) == pytest.approx(1)
    np.testing.assert_array_equal(relevant_components(z, [np.array([3])]), np.eye(3))
