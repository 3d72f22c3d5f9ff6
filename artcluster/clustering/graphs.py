"""UMAP's graph of neighbours: how surely two points are next to one another."""

import numpy as np
import torch
from scipy.linalg import eigh
from scipy.sparse import csr_array, csr_matrix, diags_array
from scipy.sparse.linalg import eigsh

from artcluster.clustering.chunks import ChunkPool, row_chunks

_LOWEST, _HIGHEST = -4.0, 6.0
"""Logarithms of the resolutions to search."""

_BISECTIONS = 10


def communities(graph: csr_array, resolution: float, seed: int) -> np.ndarray:
    """Return the community of each node by Louvain's algorithm, int64, from 0 up.

    Args:
        graph: Symmetric weights, at least 0.
        resolution: More of it gives more and smaller communities; 1 is plain modularity.
        seed: Orders the nodes.

    Source: Blondel et al. 2008. Not Leiden's: scikit-network's draws from C's `rand`, which no
    seed of ours reaches.
    """
    from sknetwork.clustering import Louvain

    found = Louvain(resolution=resolution, random_state=seed, shuffle_nodes=True)
    return np.asarray(found.fit_predict(csr_matrix(graph)), dtype=np.int64)


def resolution_for(graph: csr_array, count: int, seed: int) -> float:
    """Return about the least resolution that gives as many communities, by bisection."""
    low, high = _LOWEST, _HIGHEST
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if communities(graph, float(np.exp(middle)), seed).max() + 1 < count:
            low = middle
        else:
            high = middle
    return float(np.exp(high))


_ROWS = 256


def nearest_neighbours(x_ND: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of each vector's nearest others, and their cosine distances, nearest first.

    Every pair is compared, in blocks: memory is a block of N numbers a thread, work N² · D.

    Args:
        x_ND: Vectors of length one, float32.
        count: How many of each, 1 … N − 1.

    Returns:
        int64 (N, count), and float32 (N, count) from 0 to 2.

    Raises:
        ValueError: There are not that many others.

    >>> rows, distances = nearest_neighbours(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32), 1)
    >>> rows.tolist(), [round(float(each), 3) for each in distances[:, 0]]
    ([[2], [2], [1]], [0.4, 0.2, 0.2])
    """
    total = len(x_ND)
    if not 1 <= count < total:
        raise ValueError(f"count must lie in 1 … {total - 1}, the other vectors, got {count}")
    x = torch.from_numpy(np.ascontiguousarray(x_ND, np.float32))
    rows_NC = torch.empty((total, count), dtype=torch.int64)
    distance_NC = torch.empty((total, count))

    def search(bounds: tuple[int, int]) -> None:
        a, b = bounds
        cosine = x[a:b] @ x.T
        cosine[torch.arange(b - a), torch.arange(a, b)] = -torch.inf
        found = cosine.topk(count, dim=1)
        rows_NC[a:b] = found.indices
        distance_NC[a:b] = (1 - found.values).clamp_(min=0)

    with ChunkPool() as pool:
        for _ in pool.map(search, row_chunks(total, _ROWS)):
            pass
    return rows_NC.numpy(), distance_NC.numpy()


_DENSE = 1500
"""Nodes up to which all eigenvectors are computed at once: surer, and not slower."""


def spectral_coordinates(graph: csr_array, count: int) -> np.ndarray:
    """Return the leading eigenvectors of the normalised graph D^-½ A D^-½, float64 (N, count).

    The first is that of the largest eigenvalue. To cluster by the leading k of them, scale their
    rows to length one.

    Args:
        graph: Symmetric weights, at least 0.
        count: How many, at most N.

    Source: Ng, Jordan & Weiss 2001.

    >>> two_pairs = csr_array(np.kron(np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]])))
    >>> np.round(np.abs(spectral_coordinates(two_pairs, 2)).sum(1), 2).tolist()
    [0.71, 0.71, 0.71, 0.71]
    """
    nodes = graph.shape[0]
    count = min(count, nodes)
    degree_N = np.asarray(graph.sum(axis=1)).ravel()
    root = diags_array(1 / np.sqrt(np.maximum(degree_N, 1e-12)))
    normalised = (root @ graph @ root).tocsr().astype(np.float64)
    if nodes <= _DENSE or count > nodes // 4:
        _, vectors = eigh(normalised.toarray(), subset_by_index=[nodes - count, nodes - 1])
    else:
        start = np.random.default_rng(0).random(nodes)
        _, vectors = eigsh(normalised, k=count, which="LA", v0=start, maxiter=50 * nodes)
    return np.asarray(vectors[:, ::-1])


_STEPS = 64
_LEAST_WIDTH = 1e-3
"""Of a point's kernel, as a share of the mean distance to its neighbours."""


def fuzzy_graph(rows_NC: np.ndarray, distance_NC: np.ndarray) -> csr_array:
    """Return the symmetric graph whose edges weigh 0 to 1, in compressed sparse rows.

    A point holds its nearest neighbour for certain, and the others by exp(−(d − ρ) / σ), where ρ is
    the least distance above 0, and σ is such that the memberships sum to log2 of the neighbours,
    the point itself counted. Two points are neighbours if either holds the other: a + b − a·b.

    Args:
        rows_NC: The nearest others of each point, nearest first.
        distance_NC: Their distances.

    Source: McInnes, Healy & Melville 2018, §3.1 (`fuzzy_simplicial_set`).

    >>> fuzzy_graph(np.array([[1], [0]]), np.array([[2.0], [2.0]])).toarray().tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    count, neighbours = rows_NC.shape
    distance = distance_NC.astype(np.float64)
    apart = np.where(distance > 0, distance, np.inf).min(1)
    beyond_NC = np.maximum(distance - np.where(np.isfinite(apart), apart, 0)[:, None], 0)
    width_N = _widths(beyond_NC, np.log2(neighbours + 1))
    mean_N = distance.mean(1)
    least_N = _LEAST_WIDTH * np.where(np.isfinite(apart), mean_N, distance.mean())
    weight_NC = np.exp(-beyond_NC / np.maximum(np.maximum(width_N, least_N), 1e-300)[:, None])
    weight_NC[beyond_NC == 0] = 1
    ends = np.repeat(np.arange(count), neighbours)
    held = csr_array((weight_NC.ravel(), (ends, rows_NC.ravel())), shape=(count, count))
    both = held.multiply(held.T)
    return csr_array(held + held.T - both)


def _widths(beyond_NC: np.ndarray, target: float) -> np.ndarray:
    """Find σ by bisection for all points at once, as UMAP does."""
    low, high = np.zeros(len(beyond_NC)), np.full(len(beyond_NC), np.inf)
    width = np.ones(len(beyond_NC))
    for _ in range(_STEPS):
        over = np.exp(-beyond_NC / width[:, None]).sum(1) > target
        high, low = np.where(over, width, high), np.where(over, low, width)
        width = np.where(np.isinf(high), 2 * width, (low + high) / 2)
    return width
