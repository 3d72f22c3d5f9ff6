"""How far an archive has moved from the one its model was fitted to, by one model's assignments."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Profile:
    """What one model's assignments of an archive look like.

    Attributes:
        sizes: Contents by cluster number, empty clusters too.
        low_confidence_share: Share of them below the model's fitted confidence, 0 to 1.
        outlier_share: Share of them beyond their cluster's fitted distance, 0 to 1.
        mean_distance: Mean distance to the centroid, in the model's space.
    """

    sizes: Mapping[int, int]
    low_confidence_share: float
    outlier_share: float
    mean_distance: float

    @property
    def contents(self) -> int:
        """Contents assigned to a cluster."""
        return sum(self.sizes.values())


@dataclass(frozen=True)
class Drift:
    """What changed between two profiles of one model.

    Attributes:
        low_confidence_rise: Rise of the share of low confidence, −1 to 1.
        outlier_rise: Rise of the share of outliers, −1 to 1.
        size_shift: Total variation between the clusters' shares, 0 to 1: the share of contents
            that would have to lie in another cluster for the old shares.
        size_psi: Population stability index of the shares; by custom more than 0.25 is much.
        distance_ratio: Mean distance now over that before; None where before it was 0.
        growth: Contents now over those before, less one.
    """

    low_confidence_rise: float
    outlier_rise: float
    size_shift: float
    size_psi: float
    distance_ratio: float | None
    growth: float


def drift(before: Profile, now: Profile) -> Drift:
    """Compare two profiles of one model.

    Raises:
        ValueError: A profile has no contents.

    >>> found = drift(
    ...     Profile({0: 50, 1: 50}, 0.05, 0.01, 2.0), Profile({0: 90, 1: 30}, 0.08, 0.01, 2.5)
    ... )
    >>> round(found.low_confidence_rise, 4), found.size_shift, found.distance_ratio
    (0.03, 0.25, 1.25)
    >>> round(found.growth, 4)
    0.2
    """
    if not before.contents or not now.contents:
        raise ValueError("drift needs contents before and now, got a profile of none")
    clusters = sorted(before.sizes.keys() | now.sizes.keys())
    old_K, new_K = (
        np.array([profile.sizes.get(cluster, 0) for cluster in clusters]) / profile.contents
        for profile in (before, now)
    )
    return Drift(
        low_confidence_rise=now.low_confidence_share - before.low_confidence_share,
        outlier_rise=now.outlier_share - before.outlier_share,
        size_shift=total_variation(old_K, new_K),
        size_psi=population_stability_index(old_K, new_K),
        distance_ratio=now.mean_distance / before.mean_distance if before.mean_distance else None,
        growth=now.contents / before.contents - 1,
    )


def total_variation(p_K: np.ndarray, q_K: np.ndarray) -> float:
    """Return half the sum of absolute differences of two distributions, 0 to 1.

    >>> total_variation(np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5]))
    0.5
    """
    return float(np.abs(p_K - q_K).sum() / 2)


def population_stability_index(p_K: np.ndarray, q_K: np.ndarray) -> float:
    """Return Σ (q − p) ln(q / p), at least 0; shares below 0.0001 count as that much.

    Source: Siddiqi 2006, Credit Risk Scorecards; it is Jeffreys' divergence of the two.

    >>> round(population_stability_index(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 6)
    0.274653
    """
    p_K, q_K = np.maximum(p_K, _LEAST_SHARE), np.maximum(q_K, _LEAST_SHARE)
    return math.fsum(((q_K - p_K) * np.log(q_K / p_K)).tolist())
