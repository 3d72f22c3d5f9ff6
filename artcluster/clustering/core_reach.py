"""Belonging to a cluster by lying near one of its core points: what DBSCAN's clusters are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from artcluster.metrics.contingency import NOISE


@dataclass(frozen=True)
class CoreReach:
    """A point belongs to the cluster of its nearest core point within eps, else it is noise.

    Attributes:
        points_PD: Core points in the model's space, float32.
        rows_P: The row among the centroids of each one's cluster, int64.
        eps: The distance that decides.

    Source: Ester et al. 1996, density-reachable; of several clusters that a border point reaches,
    the nearest core point's has it.
    """

    points_PD: Tensor
    rows_P: Tensor
    eps: float
    kind = "core-reach"

    def __call__(self, z_ND: Tensor) -> Tensor:
        """Return the row of each point's cluster, or −1 for noise, int64.

        >>> rule = CoreReach(torch.tensor([[0.0], [9.0]]), torch.tensor([0, 1]), 1.0)
        >>> rule(torch.tensor([[0.5], [8.0], [4.0]])).tolist()
        [0, 1, -1]
        """
        distance_NP = torch.cdist(z_ND.double(), self.points_PD.double())
        nearest = distance_NP.min(1)
        return torch.where(nearest.values <= self.eps, self.rows_P[nearest.indices], NOISE)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what it is made of, by name."""
        eps = np.array([self.eps])
        return {"points": self.points_PD.numpy(), "rows": self.rows_P.numpy(), "eps": eps}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "CoreReach":
        """Rebuild it from `arrays`."""
        points, rows = (torch.from_numpy(arrays[name]) for name in ("points", "rows"))
        return cls(points, rows, float(arrays["eps"][0]))
