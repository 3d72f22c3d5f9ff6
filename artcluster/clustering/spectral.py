"""Spectral coordinates: where the nodes of a graph lie along its smoothest directions."""

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import eigsh

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
