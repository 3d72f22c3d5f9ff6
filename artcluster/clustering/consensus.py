"""Consensus clustering: what many clusterings of the same points agree on.

Two kinds of clusterings are asked, since neither is good on every archive: k-means of the points,
which knows directions, and k-means of spectral coordinates on graphs of nearest neighbours, which
follows shapes. Each has k to 2k clusters, so that what it says of two points is how readily they
part. Before that the graphs' communities are looked at: where they hardly depend on resolution and
chance, they alone are asked.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import csr_array

from artcluster.clustering.graphs import (
    communities,
    fuzzy_graph,
    nearest_neighbours,
    resolution_for,
    spectral_coordinates,
)
from artcluster.clustering.hierarchy import Cells, Tree, agglomerate
from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.metrics.agreement import adjusted_rand_index, contingency


def co_association(members: Iterable[np.ndarray], cells_N: np.ndarray) -> np.ndarray:
    """Return the share of clusterings that put points of two cells together, float32 (L, L).

    For each clustering that is Σ_j p_a(j) p_b(j), where p_a(j) is the share of cell a's points in
    cluster j: the chance that a point of one and a point of the other, drawn at random, lie in one
    cluster. With a cell a point it is the co-association matrix of evidence accumulation. Memory is
    L² and L·K numbers, whatever the number of points.

    Args:
        members: Clusterings: the cluster of each point, from 0 up.
        cells_N: The cell of each point, 0 … L−1; none is empty.

    Raises:
        ValueError: There is no clustering, one is not of the points' length, or a cell is empty.

    Source: Fred & Jain 2005, Eq. 4; for cells of points our own.

    >>> co_association([np.array([0, 0, 1]), np.array([0, 1, 1])], np.arange(3)).tolist()
    [[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]
    """
    sizes_L = np.bincount(cells_N)
    if not sizes_L.all():
        raise ValueError(f"cells must not be empty, but cell {int(np.argmin(sizes_L))} is")
    leaves = len(sizes_L)
    total_LL = np.zeros((leaves, leaves), dtype=np.float32)
    count = 0
    for labels_N in members:
        if labels_N.shape != cells_N.shape:
            raise ValueError(
                f"a clustering must hold a cluster a point, got {labels_N.shape} for "
                f"{len(cells_N)} points"
            )
        k = int(labels_N.max()) + 1
        counts_LK = np.bincount(cells_N * np.int64(k) + labels_N, minlength=leaves * k)
        share_LK = (counts_LK.reshape(leaves, k) / sizes_L[:, None]).astype(np.float32)
        total_LL += share_LK @ share_LK.T
        count += 1
    if not count:
        raise ValueError("members must hold at least one clustering")
    total_LL /= count
    return total_LL


_LEAST_GRAPH = 4
"""Cells; fewer have no graph worth the name."""


@dataclass(frozen=True)
class ConsensusConfig:
    """How to ask.

    Attributes:
        k: About how many clusters are wanted.
        rounds: In each, every graph gives two clusterings of spectral coordinates and one into
            communities, and there are as many of the points as of spectral coordinates.
        seed: Seeds them all.
        neighbours: Of each cell in the graphs; no number is good on every archive.
        settled: Where a graph's communities at different resolutions and seeds agree at least so
            far (mean adjusted Rand index), and are k to 2k in number, they alone say what the
            clusters are.
    """

    k: int
    rounds: int
    seed: int
    neighbours: tuple[int, ...] = (7, 10, 15, 20)
    settled: float = 0.85

    @property
    def most_clusterings(self) -> int:
        """Clusterings that are asked where communities do not settle it."""
        return 5 * self.rounds * len(self.neighbours)


@dataclass(frozen=True)
class Consensus:
    """What was agreed on.

    Attributes:
        tree: Cells merged by the mean share of clusterings that part their points.
        agreement: Of communities, about 0 to 1; it needs no labels. NaN without a graph.
        settled: Whether communities alone decided.
    """

    tree: Tree
    agreement: float
    settled: bool


def consensus(
    z_ND: np.ndarray,
    directions_LD: np.ndarray,
    cells: Cells,
    config: ConsensusConfig,
    asked: Callable[[int], None] = lambda _: None,
) -> Consensus:
    """Merge cells by how often clusterings of their points put them together.

    Args:
        z_ND: Points, float32.
        directions_LD: Of the cells, vectors of length one, whose neighbours make the graphs.
        cells: Of these points.
        config: How to ask.
        asked: Told of each clustering that is made.

    Source: Fred & Jain 2005 (evidence accumulation, average linkage); the mixture, the cells and
    the choice by agreement are our own.
    """

    def told(members: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for labels in members:
            asked(1)
            yield labels

    leaves = len(cells.sizes_L)
    alone_L = np.arange(leaves)
    graphs = _graphs(directions_LD, config)
    if not graphs:
        together_LL = co_association(told(_of_points(z_ND, config)), cells.cells_N)
        tree = agglomerate(1 - together_LL, cells.sizes_L, "average")
        return Consensus(tree, float("nan"), False)
    found = [list(told(_of_communities(graph, config))) for graph in graphs]
    agreement = float(np.mean([mean_agreement(each) for each in found]))
    typical = np.median([labels.max() + 1 for each in found for labels in each])
    # Communities that cannot be as many as is asked for agree for that reason alone.
    settled = bool(agreement >= config.settled and config.k <= typical <= 2 * config.k)
    if settled:
        together_LL = co_association((labels for each in found for labels in each), alone_L)
    else:
        spectral = (labels for graph in graphs for labels in _of_spectrum(graph, config))
        together_LL = co_association(told(spectral), alone_L)
        together_LL += co_association(told(_of_points(z_ND, config)), cells.cells_N)
        together_LL /= 2
    return Consensus(agglomerate(1 - together_LL, cells.sizes_L, "average"), agreement, settled)


def mean_agreement(members: Sequence[np.ndarray]) -> float:
    """Return the mean adjusted Rand index of all pairs of clusterings; 1 of a single one.

    >>> mean_agreement([np.array([0, 0, 1]), np.array([5, 5, 2]), np.array([1, 1, 0])])
    1.0
    """
    pairs = list(combinations(members, 2))
    return float(np.mean([adjusted_rand_index(contingency(*pair)) for pair in pairs] or [1.0]))


def _graphs(directions_LD: np.ndarray, config: ConsensusConfig) -> list[csr_array]:
    leaves = len(directions_LD)
    if leaves < _LEAST_GRAPH:
        return []
    rows_LC, distance_LC = nearest_neighbours(
        directions_LD, min(max(config.neighbours), leaves - 1)
    )
    return [fuzzy_graph(rows_LC[:, :n], distance_LC[:, :n]) for n in config.neighbours]


def _of_points(z_ND: np.ndarray, config: ConsensusConfig) -> Iterator[np.ndarray]:
    generator = np.random.default_rng([config.seed, 0])
    for _ in range(2 * config.rounds * len(config.neighbours)):
        yield _kmeans(z_ND, _count(config, generator, len(z_ND)), generator)


def _of_spectrum(graph: csr_array, config: ConsensusConfig) -> Iterator[np.ndarray]:
    generator = np.random.default_rng([config.seed, 1, graph.nnz])
    most = min(2 * config.k, graph.shape[0] - 1)
    coordinates_LC = spectral_coordinates(graph, most)
    for _ in range(2 * config.rounds):
        count = _count(config, generator, most)
        rows = coordinates_LC[:, :count]
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        yield _kmeans((rows / np.maximum(norms, 1e-12)).astype(np.float32), count, generator)


def _of_communities(graph: csr_array, config: ConsensusConfig) -> Iterator[np.ndarray]:
    generator = np.random.default_rng([config.seed, 2, graph.nnz])
    ends = [resolution_for(graph, count, config.seed) for count in (config.k, 2 * config.k)]
    for _ in range(config.rounds):
        resolution = float(np.exp(generator.uniform(*np.sort(np.log(ends)))))
        yield communities(graph, resolution, _draw(generator))


def _kmeans(x_ND: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    return kmeans(x_ND, count, restarts=1, seed=_draw(generator)).labels_N


def _count(config: ConsensusConfig, generator: np.random.Generator, most: int) -> int:
    return min(int(generator.integers(config.k, 2 * config.k + 1)), most)


def _draw(generator: np.random.Generator) -> int:
    return int(generator.integers(1 << 30))
