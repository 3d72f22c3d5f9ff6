"""UMAP's graph of neighbours: how surely two points are next to one another."""

import numpy as np
from scipy.sparse import csr_array

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
