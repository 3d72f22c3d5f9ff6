"""Consensus: better than k-means, exact on points that are their own cells, near it on larger."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.sparse import csr_array
from scipy.spatial.distance import squareform
from sklearn.datasets import load_digits
from umap.umap_ import fuzzy_simplicial_set

from artcluster.clustering import consensus as consensus_module
from artcluster.clustering import spectral
from artcluster.clustering.agglomeration import cut
from artcluster.clustering.cells import group_means, make_cells
from artcluster.clustering.communities import communities, resolution_for
from artcluster.clustering.consensus import ConsensusConfig, consensus, mean_agreement
from artcluster.clustering.fuzzy_graph import fuzzy_graph
from artcluster.clustering.kmeans import kmeans
from artcluster.clustering.nearest_neighbours import nearest_neighbours
from artcluster.clustering.spectral import spectral_coordinates
from artcluster.metrics.agreement import label_agreement

CONFIG = ConsensusConfig(k=5, rounds=2, neighbours=(10,))


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
    """Against the naive matrix of pairs and SciPy's average linkage, over the same clusterings."""
    x, _ = digits
    x = x[:120]
    found = consensus(x, x, make_cells(x, 4000, 0), replace(CONFIG, settled=-1.0))
    assert found.settled
    graph = fuzzy_graph(*nearest_neighbours(x, 10))
    members = list(consensus_module._of_communities(graph, CONFIG))
    together = np.mean([labels[:, None] == labels[None, :] for labels in members], axis=0)
    np.fill_diagonal(together, 1)
    expected = linkage(squareform(1 - together), "average")
    np.testing.assert_allclose(found.tree.heights_M, expected[:, 2], atol=1e-6)


def test_cells_of_several_points_give_nearly_the_same(
    digits: tuple[np.ndarray, np.ndarray],
) -> None:
    x, truth = digits
    cells = make_cells(x, 100, 0)
    assert len(cells.sizes_L) == 100
    assert cells.sizes_L.sum() == len(x)
    np.testing.assert_array_equal(cells.sizes_L, np.bincount(cells.cells_N))
    directions = cells.means_LD / np.linalg.norm(cells.means_LD, axis=1, keepdims=True)
    found = consensus(x, directions, cells, CONFIG)
    groups = cut(found.tree, 5)
    exact = cut(consensus(x, x, make_cells(x, 4000, 0), CONFIG).tree, 5)
    assert label_agreement(groups[cells.cells_N], exact.tolist()).nmi > 0.75
    assert label_agreement(groups[cells.cells_N], truth.tolist()).nmi > 0.75
    by_cells = group_means(cells.means_LD, cells.sizes_L, groups)
    for group in range(5):
        inside = x[groups[cells.cells_N] == group]
        np.testing.assert_allclose(by_cells[group], inside.mean(0), atol=1e-2)


def test_the_seed_decides(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x = digits[0][:150]
    trees = [
        consensus(x, x, make_cells(x, 4000, 0), replace(CONFIG, seed=seed)).tree
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(trees[0].heights_M, trees[1].heights_M)
    assert not np.array_equal(trees[0].heights_M, trees[2].heights_M)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_handful_of_points(count: int) -> None:
    x = np.eye(count, dtype=np.float32)
    found = consensus(x, x, make_cells(x, 4000, 0), ConsensusConfig(k=2, rounds=1))
    assert set(cut(found.tree, 2)) == {0, 1}


def test_the_graph_is_umaps(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, _ = digits
    rows, distances = nearest_neighbours(x, 14)
    itself = np.arange(len(x))[:, None]
    expected, _, _ = fuzzy_simplicial_set(
        x,
        15,
        np.random.RandomState(0),
        "cosine",
        knn_indices=np.hstack([itself, rows]),
        knn_dists=np.hstack([np.zeros_like(distances[:, :1]), distances]),
    )
    ours = fuzzy_graph(rows, distances)
    np.testing.assert_allclose(ours.toarray(), expected.toarray(), atol=1e-3)
    assert abs(ours - ours.T).max() < 1e-12


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
