"""Groups of vectors that are next to one another."""

from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_EDGES = 1 << 20
"""Edges that are held before they are joined."""


class ConnectedComponents:
    """Connected components of points; only some edges are held at a time.

    >>> found = ConnectedComponents(4)
    >>> found.join(np.array([0, 3]), np.array([2, 3]))
    >>> found.groups()
    [array([0, 2])]
    """

    def __init__(self, count: int) -> None:
        self._group_N: np.ndarray = np.arange(count)
        self._edges: list[tuple[np.ndarray, np.ndarray]] = []
        self._held = 0

    def join(self, row_E: np.ndarray, column_E: np.ndarray) -> None:
        """Join the groups of the points at both ends of each edge."""
        self._edges.append((row_E, column_E))
        self._held += len(row_E)
        if self._held >= _EDGES:
            self._join()

    def _join(self) -> None:
        if not self._held:
            return
        count = len(self._group_N)
        rows, columns = (
            self._group_N[np.concatenate(ends)] for ends in zip(*self._edges, strict=True)
        )
        graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
        self._group_N = np.asarray(connected_components(graph, directed=False)[1])[self._group_N]
        self._edges, self._held = [], 0

    def groups(self) -> list[np.ndarray]:
        """Return the points of each group of two and more, ascending; the largest group first."""
        self._join()
        order = np.argsort(self._group_N, kind="stable")
        split = np.split(order, np.cumsum(np.bincount(self._group_N))[:-1])
        several = [points for points in split if len(points) > 1]
        return sorted(several, key=lambda points: (-len(points), points[0]))


_BITS = 64
_HASH_BLOCK_VALUES = 1 << 22
_ONES = np.array([bin(value).count("1") for value in range(1 << 16)], np.uint8)


def hash_groups(hash_N: np.ndarray, bits: int) -> list[np.ndarray]:
    """Group hashes that a chain of small Hamming distances joins.

    Hashes that differ in at most b bits agree in one of b + 1 bands of bits, so that only those
    that share a band are compared. Memory is bounded: a block of comparisons at a time.

    Args:
        hash_N: uint64.
        bits: Hamming distance, 0 to 31, up to which two hashes belong together.

    Returns:
        Rows of each group of two and more, ascending; the largest group first.

    >>> hash_groups(np.array([0b0111, 1 << 40, 0b0001, 0b0011], np.uint64), 1)
    [array([0, 2, 3])]
    """
    if not 0 <= bits < _BITS // 2:
        raise ValueError(f"bits: expected 0 to {_BITS // 2 - 1}, got {bits}")
    components = ConnectedComponents(len(hash_N))
    distinct_U, place_N = np.unique(np.asarray(hash_N, np.uint64), return_inverse=True)
    first_U = np.full(len(distinct_U), -1)
    first_U[place_N[::-1]] = np.arange(len(hash_N))[::-1]
    components.join(np.arange(len(hash_N)), first_U[place_N])
    edges = np.linspace(0, _BITS, bits + 2).astype(int)
    for low, high in pairwise(edges):
        band_U = (distinct_U >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band_U, kind="stable")
        ends = 1 + np.flatnonzero(np.diff(band_U[order]))
        for rows in np.split(order, ends):
            _join_near(components, distinct_U, first_U, rows, bits)
    return components.groups()


def hamming(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the number of bits in which uint64 values differ, broadcast against one another.

    >>> hamming(np.array([0b111], np.uint64), np.array([0b100], np.uint64)).tolist()
    [2]
    """
    differing = np.ascontiguousarray(np.bitwise_xor(a, b))
    counts: np.ndarray = _ONES[differing.view(np.uint16)].reshape(*differing.shape, 4).sum(-1)
    return counts


def _join_near(
    components: ConnectedComponents,
    hash_U: np.ndarray,
    first_U: np.ndarray,
    rows: np.ndarray,
    bits: int,
) -> None:
    if len(rows) < 2:
        return
    step = max(1, _HASH_BLOCK_VALUES // len(rows))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        near = hamming(hash_U[some][:, None], hash_U[rows[start:]][None, :]) <= bits
        row, column = np.nonzero(np.triu(near, 1))
        components.join(first_U[some[row]], first_U[rows[start:][column]])


_BLOCK_VALUES = 1 << 22


def near_duplicates(x_ND: np.ndarray, distance: float) -> list[np.ndarray]:
    """Group rows that a chain of small cosine distances joins.

    Args:
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
