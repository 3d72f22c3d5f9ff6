"""Consensus: better than k-means, exact on points that are their own cells, near it on larger."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_digits

from artcluster.clustering import consensus as consensus_module
from artcluster.clustering import graphs as spectral
from artcluster.clustering.consensus import ConsensusConfig, consensus, mean_agreement
from artcluster.clustering.graphs import (
    communities,
    fuzzy_graph,
    nearest_neighbours,
    resolution_for,
    spectral_coordinates,
)
from artcluster.clustering.hierarchy import agglomerate, cut, group_means, make_cells
from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.metrics.agreement import label_agreement

CONFIG = ConsensusConfig(k=5, rounds=2, seed=0, neighbours=(10,))


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    loaded = load_digits()
    chosen = loaded.target < 5
    x = loaded.data[chosen][:400].astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True), loaded.target[chosen][:400]


def test_it_beats_k_means_on_digits(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, truth = digits
    found = consensus(x, x, make_cells(x, 4000, 0), CONFIG)
    ours = label_agreement(cut(found.tree, 5), truth.tolist())
    plain = label_agreement(kmeans(x, 5, seed=0).labels_N, truth.tolist())
    assert ours.nmi > plain.nmi
    assert ours.ari > plain.ari


def test_points_each_their_own_cell_are_plain_evidence_accumulation(
    digits: tuple[np.ndarray, np.ndarray],
) -> None:
    """Against the naive matrix of pairs, over the same clusterings."""
    x, _ = digits
    x = x[:120]
    cells = make_cells(x, 4000, 0)
    graph = fuzzy_graph(*nearest_neighbours(x, 10))
    kinds = [
        list(consensus_module._of_spectrum(graph, CONFIG)),
        list(consensus_module._of_points(x, CONFIG)),
    ]
    members = [labels for each in kinds for labels in each]
    assert CONFIG.most_clusterings == len(members) + CONFIG.rounds == 10
    together = np.mean([labels[:, None] == labels[None, :] for labels in members], axis=0)
    expected = agglomerate(1 - together.astype(np.float32), np.ones(120), "average")
    found = consensus(x, x, cells, replace(CONFIG, settled=2.0))
    assert not found.settled
    for k in (2, 5, 20):
        assert mean_agreement([cut(found.tree, k), cut(expected, k)]) > 0.95
    np.testing.assert_allclose(found.tree.heights_M, expected.heights_M, atol=0.02)


def test_communities_that_agree_settle_it(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, _ = digits
    asked: list[int] = []
    found = consensus(x, x, make_cells(x, 4000, 0), replace(CONFIG, settled=-1.0), asked.append)
    assert found.settled
    assert sum(asked) == 2
    assert 0 < found.agreement <= 1
    # Twenty groups that nothing joins are communities at any resolution: that says nothing of k.
    apart = np.repeat(np.eye(20, dtype=np.float32), 12, axis=0)
    apart += np.random.default_rng(0).normal(scale=0.01, size=apart.shape).astype(np.float32)
    found = consensus(apart, apart, make_cells(apart, 4000, 0), CONFIG)
    assert found.agreement > 0.85
    assert not found.settled


def test_cells_of_several_points_give_much_the_same(
    digits: tuple[np.ndarray, np.ndarray],
) -> None:
    x, truth = digits
    cells = make_cells(x, 100, 0)
    assert len(cells.sizes_L) == 100
    assert cells.sizes_L.sum() == len(x)
    np.testing.assert_array_equal(cells.sizes_L, np.bincount(cells.cells_N))
    directions = cells.means_LD / np.linalg.norm(cells.means_LD, axis=1, keepdims=True)
    config = replace(CONFIG, settled=2.0)
    found = consensus(x, directions, cells, config)
    groups = cut(found.tree, 5)
    exact = cut(consensus(x, x, make_cells(x, 4000, 0), config).tree, 5)
    assert label_agreement(groups[cells.cells_N], exact.tolist()).nmi > 0.6
    assert label_agreement(groups[cells.cells_N], truth.tolist()).nmi > 0.6
    by_cells = group_means(cells.means_LD, cells.sizes_L, groups)
    for group in range(5):
        inside = x[groups[cells.cells_N] == group]
        np.testing.assert_allclose(by_cells[group], inside.mean(0), atol=1e-2)


def test_the_seed_decides(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x = digits[0][:150]
    trees = [
        consensus(x, x, make_cells(x, 4000, 0), replace(CONFIG, seed=seed, settled=2.0)).tree
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(trees[0].heights_M, trees[1].heights_M)
    assert not np.array_equal(trees[0].heights_M, trees[2].heights_M)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_handful_of_points(count: int) -> None:
    x = np.eye(count, dtype=np.float32)
    found = consensus(x, x, make_cells(x, 4000, 0), ConsensusConfig(k=2, rounds=1, seed=0))
    assert set(cut(found.tree, 2)) == {0, 1}


def test_memberships_of_the_graph_sum_to_the_logarithm_of_its_neighbours(
    digits: tuple[np.ndarray, np.ndarray],
) -> None:
    """As UMAP has it; two points are neighbours if either holds the other."""
    x, _ = digits
    rows, distances = nearest_neighbours(x, 14)
    graph = fuzzy_graph(rows, distances).toarray()
    np.testing.assert_allclose(graph, graph.T, atol=1e-12)
    assert graph.min() >= 0
    assert graph.max() <= 1 + 1e-12
    assert (graph[np.arange(len(x)), rows[:, 0]] > 1 - 1e-9).all()
    # Of two points of which only one holds the other, the weight is that one's alone.
    held = np.zeros(graph.shape, dtype=bool)
    np.put_along_axis(held, rows, True, axis=1)
    one_way = held & ~held.T
    beyond = distances - distances[:, :1]
    checked = 0
    for point in range(len(x)):
        there = np.isin(rows[point], np.flatnonzero(one_way[point])) & (beyond[point] > 1e-4)
        if there.sum() >= 2:
            weights = graph[point, rows[point][there]]
            widths = -beyond[point][there] / np.log(weights)
            np.testing.assert_allclose(widths, widths[0], rtol=1e-2)
            total = np.exp(-beyond[point] / widths[0]).sum()
            assert total == pytest.approx(np.log2(15), rel=1e-2)
            checked += 1
    assert checked > 50


def test_neighbours_are_those_of_a_naive_search(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, _ = digits
    far = 1 - x @ x.T
    np.fill_diagonal(far, np.inf)
    rows, distances = nearest_neighbours(x, 7)
    np.testing.assert_allclose(distances, np.sort(far, axis=1)[:, :7], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(far, rows, 1), distances, atol=1e-6)
    with pytest.raises(ValueError, match=r"1 … 2"):
        nearest_neighbours(x[:3], 3)


def test_parts_of_a_graph_are_told_apart() -> None:
    """Three complete graphs, joined by nothing."""
    blocks = csr_array(np.kron(np.eye(3), np.ones((6, 6)) - np.eye(6)))
    expected = np.repeat(np.arange(3), 6)
    coordinates = spectral_coordinates(blocks, 3)
    unit = coordinates / np.linalg.norm(coordinates, axis=1, keepdims=True)
    same = expected[:, None] == expected[None, :]
    np.testing.assert_allclose(unit @ unit.T, same, atol=1e-8)
    assert mean_agreement([communities(blocks, 1.0, 0), expected]) == 1
    assert communities(blocks, resolution_for(blocks, 3, 0), 5).max() + 1 == 3


def test_many_nodes_have_the_same_coordinates_by_either_solver(
    monkeypatch: pytest.MonkeyPatch, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    graph = fuzzy_graph(*nearest_neighbours(digits[0], 10))
    dense = spectral_coordinates(graph, 6)
    monkeypatch.setattr(spectral, "_DENSE", 10)
    sparse = spectral_coordinates(graph, 6)
    np.testing.assert_allclose(np.abs((dense * sparse).sum(0)), 1, atol=1e-6)
