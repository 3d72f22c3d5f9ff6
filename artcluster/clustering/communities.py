"""Communities of a graph: groups of nodes with more edges inside than chance would give."""

import numpy as np
from scipy.sparse import csr_array, csr_matrix

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
