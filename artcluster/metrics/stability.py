"""Stability: how well clusterings of the same points agree with one another."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from artcluster.metrics.agreement import adjusted_rand_index
from artcluster.metrics.contingency import contingency


def mean_ari(clusterings: Sequence[np.ndarray], missing: int = -2) -> float:
    """Return the mean adjusted Rand index of all pairs of clusterings; NaN for fewer than two.

    Noise (−1) is a group like any other. Points that one of a pair left out are left out of it.

    Args:
        clusterings: Each the clusters of the same points, (N,).
        missing: What stands where a clustering says nothing of a point.

    >>> mean_ari([np.array([0, 0, 1, 1]), np.array([5, 5, 3, 3]), np.array([0, 0, 1, -2])])
    1.0
    """
    found = []
    for one, other in combinations(clusterings, 2):
        both = (one != missing) & (other != missing)
        if both.any():
            found.append(adjusted_rand_index(contingency(one[both], other[both])))
    return float(np.mean(found)) if found else float("nan")


def mean_ari_with(whole_N: np.ndarray, resampled: Sequence[np.ndarray], missing: int = -2) -> float:
    """Return the mean ARI of a clustering with each of several on parts of its points.

    Source: Ben-Hur, Elisseeff & Guyon 2002, with the adjusted Rand index for their measure, and
    each resample against the clustering of all points rather than against another resample.

    >>> mean_ari_with(np.array([0, 0, 1, 1]), [np.array([1, -2, 0, 0])])
    1.0
    """
    found = [mean_ari([whole_N, part_N], missing) for part_N in resampled]
    return float(np.mean(found)) if found else float("nan")
