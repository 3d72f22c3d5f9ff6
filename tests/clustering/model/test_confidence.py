"""Membership, doubtful points, and quantiles in bounded memory."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artcluster.clustering.dec import soft_assignment
from artcluster.clustering.model.confidence import Medoids, distance_to_own, medoids, membership
from artcluster.clustering.model.fit import SampledQuantiles


def test_hand_worked() -> None:
    # |z − c|² = 4, 9, 16: kernels 1/5, 1/10, 1/17.
    found = membership(torch.tensor([[0.0]]), torch.tensor([[3.0], [2.0], [-4.0]]))
    total = 1 / 5 + 1 / 10 + 1 / 17
    assert (found.cluster.tolist(), found.second_cluster.tolist()) == ([1], [0])
    assert found.confidence[0] == pytest.approx(1 / 5 / total)
    assert found.margin[0] == pytest.approx((1 / 5 - 1 / 10) / total)
    assert found.distance[0] == 2.0


def test_equals_soft_assignment() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(200, 5, generator=generator)
    centroids = torch.randn(7, 5, generator=generator)
    q = soft_assignment(z.double(), centroids.double())
    best, order = q.sort(dim=1, descending=True)
    found = membership(z, centroids)
    assert (found.cluster == order[:, 0].numpy()).all()
    assert (found.second_cluster == order[:, 1].numpy()).all()
    assert found.confidence == pytest.approx(best[:, 0].numpy(), abs=1e-6)
    assert found.margin == pytest.approx((best[:, 0] - best[:, 1]).numpy(), abs=1e-6)


def test_short_distances_between_long_vectors_are_exact() -> None:
    z = torch.full((1, 10), 1000.0)
    centroids = torch.stack([z[0] + 0.01, z[0] + 5])
    expected = (z[0].double() - centroids[0].double()).norm()
    assert membership(z, centroids).distance[0] == pytest.approx(float(expected), rel=1e-4)


def test_one_cluster_has_no_second() -> None:
    found = membership(torch.tensor([[3.0]]), torch.tensor([[0.0]]))
    assert (found.cluster[0], found.second_cluster[0]) == (0, -1)
    assert (found.confidence[0], found.margin[0]) == (1.0, 1.0)


def test_equal_centroids_go_to_the_lower_number() -> None:
    found = membership(torch.tensor([[1.0]]), torch.tensor([[5.0], [2.0], [2.0]]))
    assert (found.cluster[0], found.second_cluster[0], found.margin[0]) == (1, 2, 0.0)


def test_distance_to_own() -> None:
    found = distance_to_own(np.array([[3.0, 4.0], [0.0, 1.0]]), np.eye(2), np.array([1, 1]))
    assert found == pytest.approx([np.sqrt(9 + 9), 0.0])


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-9, 9, width=32)), max_size=60),
    st.integers(0, 60),
    st.floats(0, 1),
)
def test_quantiles_that_fit_are_exact(
    rows: list[tuple[int, float]], cut: int, quantile: float
) -> None:
    groups = np.array([group for group, _ in rows], dtype=np.int64)
    values = np.array([value for _, value in rows], dtype=np.float32)
    numbers = np.arange(len(rows))
    first, second = SampledQuantiles(4, 100), SampledQuantiles(4, 100)
    first.update(numbers[:cut], groups[:cut], values[:cut])
    second.update(numbers[cut:], groups[cut:], values[cut:])
    second.merge(first)
    assert second.exact
    for group, found in enumerate(second.compute(quantile)):
        members = values[groups == group].astype(np.float64)
        assert (
            np.isnan(found)
            if not len(members)
            else found == pytest.approx(np.quantile(members, quantile), abs=1e-6)
        )


def test_sampled_quantiles_keep_the_same_values_whatever_the_batches() -> None:
    values = np.random.default_rng(0).normal(size=50_000).astype(np.float32)
    numbers, groups = np.arange(50_000), np.zeros(50_000, dtype=np.int64)
    found = []
    for batch in (50_000, 777):
        sample = SampledQuantiles(1, 2000)
        for start in range(0, 50_000, batch):
            part = slice(start, start + batch)
            sample.update(numbers[part], groups[part], values[part])
        found.append(float(sample.compute(0.9)[0]))
        assert not sample.exact
    assert found[0] == found[1] == pytest.approx(np.quantile(values, 0.9), abs=0.1)


def test_memory_of_quantiles_is_bounded() -> None:
    sample = SampledQuantiles(2, 100)
    for start in range(0, 3_000_000, 100_000):
        numbers = np.arange(start, start + 100_000)
        sample.update(numbers, numbers % 2, numbers.astype(np.float32))
        assert sum(len(values) for _, _, values in sample._batches) < 500_000


def test_wrong_use_of_quantiles() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SampledQuantiles(0, 1)
    with pytest.raises(ValueError, match="cannot merge"):
        SampledQuantiles(1, 1).merge(SampledQuantiles(1, 2))
    with pytest.raises(ValueError, match=r"0 … 1"):
        SampledQuantiles(1, 1).compute(1.5)


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 5)), max_size=50),
    st.integers(0, 50),
    st.integers(1, 4),
)
def test_medoids_of_any_split(rows: list[tuple[int, int]], cut: int, count: int) -> None:
    clusters = np.array([cluster for cluster, _ in rows], dtype=np.int32)
    distances = np.array([distance for _, distance in rows], dtype=np.float32)
    numbers = np.arange(len(rows))
    first, second = Medoids(4, count), Medoids(4, count)
    first.update(numbers[:cut], clusters[:cut], distances[:cut])
    second.update(numbers[cut:], clusters[cut:], distances[cut:])
    second.merge(first)
    expected = [
        sorted(numbers[clusters == j], key=lambda row: (distances[row], row))[:count]
        for j in range(4)
    ]
    assert [found.tolist() for found in second.compute()] == expected
    assert [found.tolist() for found in medoids(clusters, distances, 4, count)] == expected


def test_wrong_use_of_medoids() -> None:
    with pytest.raises(ValueError, match="one length"):
        Medoids(2, 1).update(np.arange(2), np.zeros(1, int), np.zeros(2))
    with pytest.raises(ValueError, match="-1 … 1"):
        Medoids(2, 1).update(np.arange(1), np.array([2]), np.zeros(1))
    with pytest.raises(ValueError, match="cannot merge"):
        Medoids(2, 1).merge(Medoids(2, 3))
