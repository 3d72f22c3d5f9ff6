"""Groups that edges join, where edges come a block at a time."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_EDGES = 1 << 20
"""Edges that are held before they are joined."""


class Components:
    """Connected components of points; only some edges are held at a time.

    Args:
        count: Number of points.

    >>> found = Components(4)
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
