"""Recommending a number of clusters from what was measured without labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from artcluster.metrics.agreement import adjusted_rand_index, contingency
from artcluster.metrics.measures import MEASURES

_LEAST_BEND = 0.05


def elbow(x: Sequence[float], y: Sequence[float]) -> int | None:
    """Return the place where a falling curve bends most, or None where it does not bend.

    Both axes are scaled to 0 … 1; the elbow is where the curve lies farthest below the straight
    line between its ends. Nothing is smoothed: curves over k have a dozen points, and k-means with
    restarts makes them even.

    Args:
        x: Ascending.
        y: A value each.

    Source: Satopää et al. 2011 (Kneedle), with sensitivity 0: the largest difference is taken. It
    counts from 0.05 on, so that a curve that is nearly straight has no elbow.

    >>> elbow([2, 3, 4, 5, 6], [100, 40, 30, 25, 22])
    1
    >>> elbow([2, 3, 4], [3, 2, 1]) is None
    True
    """
    along, height = np.asarray(x, float), np.asarray(y, float)
    if len(along) < 3 or not np.isfinite(height).all() or height[0] <= height[-1]:
        return None
    chord = (along - along[0]) / (along[-1] - along[0])
    fallen = (height[0] - height) / (height[0] - height[-1])
    bend = fallen - chord
    place = int(bend.argmax())
    return place if bend[place] >= _LEAST_BEND else None


def mean_ari(clusterings: Sequence[np.ndarray], missing: int = -2) -> float:
    """Return the mean adjusted Rand index of all pairs of clusterings; NaN for fewer than two.

    Noise (−1) is a group like any other. Points that one of a pair left out are left out of it.

    Args:
        clusterings: Each the clusters of the same points, (N,).
        missing: What stands where a clustering says nothing of a point.

    >>> mean_ari([np.array([0, 0, 1, 1]), np.array([5, 5, 3, 3]), np.array([0, 0, 1, -2])])
    1.0
    """
    aris = []
    for one, other in combinations(clusterings, 2):
        both = (one != missing) & (other != missing)
        if both.any():
            aris.append(adjusted_rand_index(contingency(one[both], other[both])))
    return float(np.mean(aris)) if aris else float("nan")


def mean_ari_with(whole_N: np.ndarray, resampled: Sequence[np.ndarray], missing: int = -2) -> float:
    """Return the mean ARI of a clustering with each of several on parts of its points.

    Source: Ben-Hur, Elisseeff & Guyon 2002, with the adjusted Rand index for their measure, and
    each resample against the clustering of all points rather than against another resample.

    >>> mean_ari_with(np.array([0, 0, 1, 1]), [np.array([1, -2, 0, 0])])
    1.0
    """
    aris = [mean_ari([whole_N, part_N], missing) for part_N in resampled]
    return float(np.mean(aris)) if aris else float("nan")


@dataclass(frozen=True)
class Candidate:
    """A number of clusters and what was measured at it.

    Attributes:
        silhouette: In a space that is the same for all k; NaN where it is not defined.
        stability: Mean ARI over resamples; NaN without any.
    """

    k: int
    non_empty: int
    silhouette: float
    calinski_harabasz: float
    inertia: float
    stability: float


@dataclass(frozen=True)
class Recommendation:
    """A number of clusters, and why.

    Attributes:
        elbow: Where the inertia bends; None where it does not.
    """

    k: int
    reason: str
    elbow: int | None


_CRITERIA = ("silhouette", "calinski_harabasz", "stability")


def recommend(measured: Sequence[Candidate]) -> Recommendation:
    """Recommend the k whose mean rank over the criteria is best; of equals the smallest.

    The criteria are the silhouette, the Calinski-Harabasz index, stability, and nearness to the
    elbow of the inertia, as far as each is known. The first two fall with k on most archives, and
    alone would recommend the smallest; the elbow alone is blind to whether clusters are apart. A k
    of which clusters collapsed is not recommended where another is left.

    Args:
        measured: In ascending order of k, at least one.

    >>> rows = [Candidate(k, k, s, c, i, r) for k, s, c, i, r in [
    ...     (2, 0.30, 90, 100, 0.70), (3, 0.35, 95, 50, 0.99), (4, 0.20, 60, 45, 0.60)]]
    >>> found = recommend(rows)
    >>> found.k, found.elbow
    (3, 3)
    >>> print(found.reason)
    best mean rank over silhouette (0.350, rank 1), Calinski-Harabasz index (95, rank \
1), stability \
(0.990, rank 1), elbow (rank 1)
    """
    place = elbow([m.k for m in measured], [m.inertia for m in measured])
    bend = None if place is None else measured[place].k
    whole = [m for m in measured if m.non_empty >= m.k]
    chosen = whole or list(measured)
    ranks: dict[str, np.ndarray] = {}
    for name in _CRITERIA:
        values = [float(getattr(m, name)) for m in chosen]
        if not any(map(math.isnan, values)):
            ranks[MEASURES[name].title] = rankdata([-value for value in values], method="min")
    if bend is not None:
        ranks["elbow"] = rankdata([abs(m.k - bend) for m in chosen], method="min")
    means = np.mean(list(ranks.values()), axis=0) if ranks else np.zeros(len(chosen))
    best = int(means.argmin())
    return Recommendation(chosen[best].k, _reason(chosen, best, ranks, len(measured)), bend)


def _reason(
    chosen: Sequence[Candidate], best: int, ranks: dict[str, np.ndarray], count: int
) -> str:
    if not ranks:
        return "all values of k score the same; the smallest was chosen"
    criteria = []
    for measure in (MEASURES[name] for name in _CRITERIA):
        if measure.title in ranks:
            value = measure.text(getattr(chosen[best], measure.name))
            criteria.append(f"{measure.title} ({value}, rank {ranks[measure.title][best]:.0f})")
    if "elbow" in ranks:
        criteria.append(f"elbow (rank {ranks['elbow'][best]:.0f})")
    words = f"best mean rank over {', '.join(criteria)}"
    others = [
        f"{name} alone would take {chosen[int(rank.argmin())].k}"
        for name, rank in ranks.items()
        if rank[best] > 1
    ]
    if others:
        words += "; " + ", ".join(others)
    if len(chosen) == count and any(m.non_empty < m.k for m in chosen):
        words += "; clusters collapsed at every k"
    elif len(chosen) < count:
        words += f"; left out, as clusters collapsed: {count - len(chosen)} of {count}"
    return words
