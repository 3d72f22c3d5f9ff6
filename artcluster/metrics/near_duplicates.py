"""Groups of vectors that are next to one another."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_BLOCK_VALUES = 1 << 22


def near_duplicates(x_ND: np.ndarray, distance: float) -> list[np.ndarray]:
    """Group rows that a chain of small cosine distances joins.

    Args:
        x_ND: Vectors.
        distance: Cosine distance, 0 to 2, up to which two rows are near-duplicates.

    Returns:
        Rows of each group of two and more, ascending; the largest group first.

    >>> near_duplicates(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.01]]), 0.05)
    [array([0, 2])]
    """
    count = len(x_ND)
    lengths = np.linalg.norm(x_ND, axis=1, keepdims=True)
    unit_ND = np.asarray(x_ND / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
    group_N = np.arange(count)
    rows_a_block = max(1, _BLOCK_VALUES // max(count, 1))
    for start in range(0, count, rows_a_block):
        near = unit_ND[start : start + rows_a_block] @ unit_ND[start:].T >= 1 - distance
        rows, columns = np.nonzero(np.triu(near, 1))
        group_N = _joined(group_N, rows + start, columns + start)
    order = np.argsort(group_N, kind="stable")
    sizes = np.bincount(group_N)
    groups = np.split(order, np.cumsum(sizes)[:-1])
    return sorted(
        (rows for rows in groups if len(rows) > 1), key=lambda rows: (-len(rows), rows[0])
    )


def _joined(group_N: np.ndarray, row_E: np.ndarray, column_E: np.ndarray) -> np.ndarray:
    """Join groups by further edges, so that only one block's edges are held at a time."""
    if not len(row_E):
        return group_N
    edges = (group_N[row_E], group_N[column_E])
    graph = coo_array((np.ones(len(row_E), bool), edges), shape=(len(group_N), len(group_N)))
    _, joined_N = connected_components(graph, directed=False)
    return np.asarray(joined_N[group_N])
