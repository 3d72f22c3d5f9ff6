"""Belonging to a cluster by reaching it at its density: what HDBSCAN's clusters are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from artcluster.clustering.point_distances import squared_distances
from artcluster.metrics.contingency import NOISE

_ROUNDING = 1e-6
"""Of a distance between points of about length one: the root of a square's, in float64."""


@dataclass(frozen=True)
class DensityReach:
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
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "DensityReach":
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
