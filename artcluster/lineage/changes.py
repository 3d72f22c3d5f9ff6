"""What became of each cluster: kept, split, merged, born or died, with stated thresholds."""

from dataclasses import dataclass
from typing import Literal

from artcluster.lineage.overlap import Overlap

Kind = Literal["kept", "split", "merged", "born", "died"]

MOSTLY = 0.5
"""The share of a cluster's members that make it a part of another."""


@dataclass(frozen=True)
class Change:
    """What joins an old cluster and a new one. The fields are columns of the lineage table.

    Attributes:
        old_cluster: None for one that was born.
        new_cluster: None for one that died.
        overlap: Members that both have.
        old_size: Members of the old one that the new clustering covers, too.
        new_size: Members of the new one that the old clustering covered, too.
        kind: kept: the new cluster has the old one's number. split: the new one has a number of
            its own, and at least half of its members come from this old one. merged: the old one's
            number is gone, and at least half of its members are in this new one. born: a new
            number, and no old cluster that it was split from or made of. died: a number that is
            gone, and no new cluster that it is merged into or was split into.
    """

    old_cluster: int | None
    new_cluster: int | None
    overlap: int
    old_size: int
    new_size: int
    kind: Kind


def changes(found: Overlap) -> list[Change]:
    """Tell what became of each cluster, where a number that both clusterings have is one cluster.

    Args:
        found: What clusters share; new clusters have their stable numbers.

    Returns:
        One entry for each pair that is joined, then those born and died, by number.

    Source: kinds after Spiliopoulou et al. 2006 (MONIC), §4, where survival is by the best match.

    >>> import numpy as np
    >>> from artcluster.lineage.overlap import overlap
    >>> old, new = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 0, 0, 0])
    >>> [(each.old_cluster, each.new_cluster, each.kind) for each in changes(overlap(old, new))]
    [(0, 0, 'kept'), (1, 0, 'merged')]
    """
    old_numbers, new_numbers = found.old_A.tolist(), found.new_B.tolist()
    old_sizes, new_sizes = found.old_sizes_A.tolist(), found.new_sizes_B.tolist()
    shared_AB = found.shared_AB.tolist()
    going, coming = set(new_numbers), set(old_numbers)
    joined: list[Change] = []
    for old, old_size, row in zip(old_numbers, old_sizes, shared_AB, strict=True):
        for new, new_size, shared in zip(new_numbers, new_sizes, row, strict=True):
            kind: Kind | None = None
            if old == new:
                kind = "kept"
            elif shared and old not in going and shared >= MOSTLY * old_size:
                kind = "merged"
            elif shared and new not in coming and shared >= MOSTLY * new_size:
                kind = "split"
            if kind is not None:
                joined.append(Change(old, new, shared, old_size, new_size, kind))
    alive = {change.new_cluster for change in joined}
    gone = {change.old_cluster for change in joined}
    born = [
        Change(None, new, 0, 0, size, "born")
        for new, size in zip(new_numbers, new_sizes, strict=True)
        if new not in alive
    ]
    died = [
        Change(old, None, 0, size, 0, "died")
        for old, size in zip(old_numbers, old_sizes, strict=True)
        if old not in gone
    ]
    return [*joined, *born, *died]
