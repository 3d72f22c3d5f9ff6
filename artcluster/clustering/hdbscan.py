"""HDBSCAN by scikit-learn, as centroids and a rule that assigns later points, too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from artcluster.clustering.chunks import row_chunks, squared_distances
from artcluster.metrics.agreement import NOISE

_ROUNDING = 1e-6
"""Of a distance between points of about length one: the root of a square's, in float64."""


@dataclass(frozen=True)
class HdbscanPredictor:
    """A point belongs to the cluster that it reaches at the cluster's density, else it is noise.

    Its core distance is that to its m-th nearest fitted point. Of the fitted points, the one with
    the least mutual reachability distance decides (the largest of both core distances and of the
    distance between the two; the nearer among equals): if that is no farther than any member of
    its cluster had its own core, the point belongs there. A fitted point reaches itself, so that
    it is in the cluster, or the noise, that it was found in.

    Attributes:
        points_PD: Fitted points in the model's space, float32, noise among them.
        rows_P: The row among the centroids of each one's cluster, −1 for noise, int64.
        core_P: The core distance of each, float64.
        reach_K: The largest core distance of each cluster's members, float64.
        neighbours: m.

    Source: Campello, Moulavi & Sander 2013 (HDBSCAN); for new points McInnes & Healy's
    `approximate_predict`, whose limit is the distance at which the cluster was born.
    """

    points_PD: Tensor
    rows_P: Tensor
    core_P: Tensor
    reach_K: Tensor
    neighbours: int
    kind = "density-reach"

    def __call__(self, z_ND: Tensor) -> Tensor:
        """Return the row of each point's cluster, or −1 for noise, int64."""
        distance_NP = squared_distances(z_ND, self.points_PD).sqrt_()
        core_N1 = core_distances(distance_NP, self.neighbours)[:, None]
        reach_NP = torch.maximum(torch.maximum(distance_NP, core_N1), self.core_P)
        least_N = reach_NP.min(1).values
        # Reachabilities are often equal: then the distance decides.
        near_NP = reach_NP <= least_N[:, None] + _ROUNDING
        nearest_N = torch.where(near_NP, distance_NP, torch.inf).argmin(1)
        rows_N = self.rows_P[nearest_N]
        reached_N = least_N <= self.reach_K[rows_N.clamp(min=0)] + _ROUNDING
        return torch.where(reached_N, rows_N, NOISE)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what it is made of, by name."""
        return {
            "points": self.points_PD.numpy(),
            "rows": self.rows_P.numpy(),
            "core": self.core_P.numpy(),
            "reach": self.reach_K.numpy(),
            "neighbours": np.array([self.neighbours]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "HdbscanPredictor":
        """Rebuild it from `arrays`."""
        points, rows, core, reach = (
            torch.from_numpy(arrays[name]) for name in ("points", "rows", "core", "reach")
        )
        return cls(points, rows, core, reach, int(arrays["neighbours"][0]))


def core_distances(distance_NP: Tensor, neighbours: int) -> Tensor:
    """Return the distance of each row to its m-th nearest column, float64 (N,).

    >>> core_distances(torch.tensor([[0.0, 3.0, 1.0]], dtype=torch.float64), 2).tolist()
    [1.0]
    """
    return distance_NP.kthvalue(min(neighbours, distance_NP.shape[1]), dim=1).values


_ROWS = 256


@dataclass(frozen=True)
class DensityClusters:
    """What HDBSCAN found.

    Attributes:
        labels_N: int64, −1 for noise.
        centroids_KD: Means of the clusters, float32.
        rule: Assigns points, the fitted ones as here.
    """

    labels_N: np.ndarray
    centroids_KD: np.ndarray
    rule: HdbscanPredictor


def density_clusters(
    z_ND: np.ndarray,
    *,
    min_cluster_size: int,
    min_samples: int,
    selection: Literal["eom", "leaf"],
) -> DensityClusters:
    """Find the clusters that are denser than what is around them; the rest is noise.

    The work grows with the square of the points.

    Args:
        z_ND: Points, float32.
        min_cluster_size: Fewer points than this are no cluster.
        min_samples: The m-th nearest point, oneself counted, says how dense it is around a point.
        selection: `eom`, the clusters that last longest; `leaf`, the smallest ones.

    Raises:
        ValueError: Nothing is dense enough to be a cluster.

    Source: Campello, Moulavi & Sander 2013; McInnes, Healy & Astels 2017.
    """
    from sklearn.cluster import HDBSCAN

    settings = {"min_cluster_size": min_cluster_size, "min_samples": min_samples}
    if max(settings.values()) > len(z_ND):
        raise ValueError(f"{settings} are more than the {len(z_ND)} points")
    found = HDBSCAN(**settings, cluster_selection_method=selection, copy=True)
    labels_N = found.fit_predict(z_ND.astype(np.float64)).astype(np.int64)
    k = int(labels_N.max()) + 1
    if not k:
        raise ValueError(
            f"HDBSCAN found no cluster of at least {min_cluster_size} among {len(z_ND)} points"
        )
    points = torch.from_numpy(z_ND)
    core_N = _core_distances(points, min_samples)
    held = torch.from_numpy(labels_N != NOISE)
    rows = torch.from_numpy(labels_N)
    reach_K = torch.zeros(k, dtype=torch.float64)
    reach_K.scatter_reduce_(0, rows[held], core_N[held], "amax")
    sums_KD = torch.zeros(k, z_ND.shape[1], dtype=torch.float64)
    sums_KD.index_add_(0, rows[held], points[held].double())
    centroids_KD = sums_KD / torch.bincount(rows[held], minlength=k)[:, None]
    return DensityClusters(
        labels_N,
        centroids_KD.float().numpy(),
        HdbscanPredictor(points, rows, core_N, reach_K, min_samples),
    )


def _core_distances(points_ND: torch.Tensor, neighbours: int) -> torch.Tensor:
    """Return each point's distance to its m-th nearest, itself counted, float64."""
    double = points_ND.double()
    parts = [
        core_distances(squared_distances(double[a:b], double).sqrt_(), neighbours)
        for a, b in row_chunks(len(double), _ROWS)
    ]
    return torch.cat(parts)
