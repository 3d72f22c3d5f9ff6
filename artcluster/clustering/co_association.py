"""How often two cells of points fall into one cluster, over many clusterings of the same points."""

from collections.abc import Iterable

import numpy as np


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
