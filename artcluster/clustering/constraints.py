"""What a few labels or pairs say of points: groups that belong together, and groups apart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np


class ContradictionError(ValueError):
    """Two rows that must be apart belong together by what else is known."""

    def __init__(self, rows: tuple[int, int]) -> None:
        super().__init__(f"rows {rows[0]} and {rows[1]} must be apart, but belong together")
        self.rows = rows


@dataclass(frozen=True)
class Constraints:
    """Groups of points that belong to one cluster each.

    Attributes:
        groups: Rows of each group, ascending; a point that must only be apart from others is a
            group of one.
        apart_GG: bool, symmetric: groups that must not share a cluster.
    """

    groups: tuple[np.ndarray, ...]
    apart_GG: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """All constrained rows, ascending."""
        return np.sort(np.concatenate(self.groups)) if self.groups else np.empty(0, np.int64)


def constraints(
    labels: Mapping[int, str],
    must: Iterable[tuple[int, int]] = (),
    cannot: Iterable[tuple[int, int]] = (),
) -> Constraints:
    """Gather labels and pairs into groups, with all that follows from them.

    Points of one label belong together, those of two labels do not. If a must be with b and b with
    c, then a is with c; and if c must not be with d, none of them is.

    Args:
        labels: Row → label.
        must: Pairs of rows that belong together.
        cannot: Pairs of rows that do not.

    Raises:
        ContradictionError: They contradict one another.

    >>> found = constraints({0: "a", 1: "b", 2: "a"}, must=[(2, 5)], cannot=[(1, 7)])
    >>> [rows.tolist() for rows in found.groups]
    [[0, 2, 5], [1], [7]]
    >>> found.apart_GG.astype(int).tolist()
    [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """
    must, cannot = list(must), list(cannot)
    parent: dict[int, int] = {}

    def find(row: int) -> int:
        parent.setdefault(row, row)
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[str, int] = {}
    for row, label in labels.items():
        parent[find(row)] = find(first.setdefault(label, row))
    for one, other in must:
        parent[find(one)] = find(other)
    for pair in cannot:
        for row in pair:
            find(row)
    members: dict[int, list[int]] = {}
    for row in sorted(parent):
        members.setdefault(find(row), []).append(row)
    place = {root: group for group, root in enumerate(members)}
    apart_GG = np.zeros((len(place), len(place)), dtype=bool)
    names = list(first.values())
    for one, other in [*cannot, *((a, b) for a in names for b in names if a < b)]:
        a, b = place[find(one)], place[find(other)]
        if a == b:
            raise ContradictionError((one, other))
        apart_GG[a, b] = apart_GG[b, a] = True
    return Constraints(tuple(np.array(rows) for rows in members.values()), apart_GG)
