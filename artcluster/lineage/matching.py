"""Which new cluster continues which old one: the assignment that shares the most members."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from artcluster.metrics.agreement import NOISE, contingency


def stable_numbers(
    new_sizes_B: np.ndarray, continues: Mapping[int, int], next_number: int
) -> np.ndarray:
    """Number the clusters of a new clustering.

    A cluster that continues an old one has its number. The others get numbers that were never
    used, the largest cluster first, so that a dead cluster's number never comes back.

    Args:
        new_sizes_B: Members of each new cluster, in its own order.
        continues: Old number → place in that order, as `match_clusters` gives it.
        next_number: The first number that was never used.

    Returns:
        int32 (B,).

    Raises:
        ValueError: An old number is not below `next_number`, or a place is given twice.

    >>> stable_numbers(np.array([10, 40, 30, 20]), {7: 0, 2: 3}, next_number=9).tolist()
    [7, 9, 10, 2]
    """
    if max(continues, default=-1) >= next_number or len(set(continues.values())) < len(continues):
        raise ValueError(
            f"expected old numbers below next_number = {next_number}, each at a place of its own, "
            f"got {dict(continues)}"
        )
    numbers_B = np.full(len(new_sizes_B), -1, dtype=np.int32)
    for old, place in continues.items():
        numbers_B[place] = old
    fresh = np.flatnonzero(numbers_B < 0)
    largest_first = fresh[np.argsort(-new_sizes_B[fresh], kind="stable")]
    numbers_B[largest_first] = np.arange(next_number, next_number + len(fresh))
    return numbers_B


@dataclass(frozen=True)
class Overlap:
    """Members that old and new clusters share, over the points that both clusterings cover.

    Attributes:
        old_A: Numbers of the old clusters, ascending; noise is none.
        new_B: Numbers of the new clusters, ascending.
        shared_AB: int64, members shared.
        old_sizes_A: Members of each old cluster, those that are noise now among them.
        new_sizes_B: Members of each new cluster, those that were noise before among them.
    """

    old_A: np.ndarray
    new_B: np.ndarray
    shared_AB: np.ndarray
    old_sizes_A: np.ndarray
    new_sizes_B: np.ndarray

    @property
    def jaccard_AB(self) -> np.ndarray:
        """Members shared as a share of those of either cluster, 0 to 1; 0 for two empty ones."""
        union_AB = self.old_sizes_A[:, None] + self.new_sizes_B[None, :] - self.shared_AB
        jaccard: np.ndarray = self.shared_AB / np.maximum(union_AB, 1)
        return jaccard


def overlap(
    old_N: np.ndarray,
    new_N: np.ndarray,
    *,
    old_clusters: np.ndarray | None = None,
    new_clusters: np.ndarray | None = None,
) -> Overlap:
    """Count the members that clusters share, point by point.

    Args:
        old_N: Old cluster of each point, −1 for noise.
        new_N: New cluster of each point, −1 for noise.
        old_clusters: Numbers of old clusters that exist, empty ones too; by default those seen.
        new_clusters: The same of the new.

    Raises:
        ValueError: The two do not have the same length.

    >>> found = overlap(np.array([0, 0, 5, -1]), np.array([1, 1, 1, 2]))
    >>> found.old_A.tolist(), found.new_B.tolist(), found.shared_AB.tolist()
    ([0, 5], [1, 2], [[2, 0], [1, 0]])
    >>> found.new_sizes_B.tolist()
    [3, 1]
    """
    table = contingency(old_N, new_N)
    rows, columns = table.nonzero()
    return overlap_of_pairs(
        np.unique(old_N)[rows],
        np.unique(new_N)[columns],
        table[rows, columns],
        old_clusters=old_clusters,
        new_clusters=new_clusters,
    )


def overlap_of_pairs(
    old_P: np.ndarray,
    new_P: np.ndarray,
    count_P: np.ndarray,
    *,
    old_clusters: np.ndarray | None = None,
    new_clusters: np.ndarray | None = None,
) -> Overlap:
    """Count the members that clusters share, from counts of points by old and new cluster.

    Args:
        old_P: Old cluster of each distinct pair, −1 for noise.
        new_P: New cluster of each pair, −1 for noise.
        count_P: Points with that pair.
        old_clusters: As in `overlap`.
        new_clusters: As in `overlap`.

    >>> overlap_of_pairs(np.array([3, 3]), np.array([0, 1]), np.array([7, 2])).shared_AB.tolist()
    [[7, 2]]
    """
    old_all, new_all = _numbers(old_P, old_clusters), _numbers(new_P, new_clusters)
    table = np.zeros((len(old_all), len(new_all)), dtype=np.int64)
    table[np.searchsorted(old_all, old_P), np.searchsorted(new_all, new_P)] = count_P
    old_real, new_real = old_all != NOISE, new_all != NOISE
    return Overlap(
        old_A=old_all[old_real],
        new_B=new_all[new_real],
        shared_AB=table[old_real][:, new_real],
        old_sizes_A=table.sum(1)[old_real],
        new_sizes_B=table.sum(0)[new_real],
    )


def _numbers(seen: np.ndarray, existing: np.ndarray | None) -> np.ndarray:
    every = seen if existing is None else np.concatenate([seen, existing])
    return np.unique(every.astype(np.int64))


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
    >>> from artcluster.lineage.matching import overlap
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


MIN_JACCARD = 0.25
"""Two clusters of which less than a quarter of all members are in both are not one and the same:
that is where one of four equal parts, or the sum of four equal clusters, may still go on."""


def match_clusters(found: Overlap, min_jaccard: float = MIN_JACCARD) -> dict[int, int]:
    """Match old clusters to new ones, one to one, so that the most members stay together.

    Only pairs that share at least `min_jaccard` of their members may be matched; among all
    assignments of such pairs the sum of shared members is the largest.

    Args:
        found: What clusters share.
        min_jaccard: Share of the members of both that both have, above 0, at most 1.

    Returns:
        Old number → new number, without the clusters that have no partner.

    Raises:
        ValueError: `min_jaccard` is out of range.

    Source: Kuhn 1955; solved by scipy's `linear_sum_assignment`.

    >>> from artcluster.lineage.matching import overlap
    >>> match_clusters(overlap(np.array([4, 4, 4, 9, 9]), np.array([0, 0, 1, 1, 1])))
    {4: 0, 9: 1}
    """
    if not 0 < min_jaccard <= 1:
        raise ValueError(f"min_jaccard must be above 0 and at most 1, got {min_jaccard}")
    gain_AB = np.where(found.jaccard_AB >= min_jaccard, found.shared_AB, 0)
    rows, columns = linear_sum_assignment(gain_AB, maximize=True)
    return {
        int(found.old_A[row]): int(found.new_B[column])
        for row, column in zip(rows, columns, strict=True)
        if gain_AB[row, column] > 0
    }


def best_kept_share(found: Overlap) -> float:
    """Return the largest share of members that any one-to-one relabelling could leave in place.

    No threshold holds here: it is the bound that stable numbers are measured against. NaN where
    the two clusterings cover no common point.

    >>> from artcluster.lineage.matching import overlap
    >>> best_kept_share(overlap(np.array([0, 0, 1, 1]), np.array([5, 5, 5, 6])))
    0.75
    """
    rows, columns = linear_sum_assignment(found.shared_AB, maximize=True)
    total = int(found.old_sizes_A.sum())
    return float(found.shared_AB[rows, columns].sum() / total) if total else float("nan")
