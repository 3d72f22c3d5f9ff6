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

from artcluster.clustering.agglomeration import Tree, agglomerate
from artcluster.clustering.cells import Cells
from artcluster.clustering.co_association import co_association
from artcluster.clustering.communities import communities, resolution_for
from artcluster.clustering.fuzzy_graph import fuzzy_graph
from artcluster.clustering.kmeans import kmeans
from artcluster.clustering.nearest_neighbours import nearest_neighbours
from artcluster.clustering.spectral import spectral_coordinates
from artcluster.metrics.agreement import adjusted_rand_index
from artcluster.metrics.contingency import contingency

_LEAST_GRAPH = 4
"""Cells; fewer have no graph worth the name."""


@dataclass(frozen=True)
class ConsensusConfig:
    """How to ask.

    Attributes:
        k: About how many clusters are wanted.
        rounds: In each, every graph gives two clusterings of spectral coordinates and one into
            communities, and there are as many of the points as of spectral coordinates.
        neighbours: Of each cell in the graphs; no number is good on every archive.
        settled: Where a graph's communities at different resolutions and seeds agree at least so
            far (mean adjusted Rand index), and are k to 2k in number, they alone say what the
            clusters are.
        seed: Seeds them all.
    """

    k: int
    rounds: int = 5
    neighbours: tuple[int, ...] = (7, 10, 15, 20)
    settled: float = 0.85
    seed: int = 0

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
