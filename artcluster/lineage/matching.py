"""Which new cluster continues which old one: the assignment that shares the most members."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from artcluster.lineage.overlap import Overlap

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

    >>> from artcluster.lineage.overlap import overlap
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

    >>> from artcluster.lineage.overlap import overlap
    >>> best_kept_share(overlap(np.array([0, 0, 1, 1]), np.array([5, 5, 5, 6])))
    0.75
    """
    rows, columns = linear_sum_assignment(found.shared_AB, maximize=True)
    total = int(found.old_sizes_A.sum())
    return float(found.shared_AB[rows, columns].sum() / total) if total else float("nan")
