"""Belonging to the cluster of the nearest of many points: clusters of any shape."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from artcluster.clustering.chunks import squared_distances
from artcluster.clustering.dbscan import DbscanPredictor
from artcluster.clustering.hdbscan import HdbscanPredictor
from artcluster.clustering.hierarchy import Tree


@dataclass(frozen=True)
class Prototypes:
    """A point belongs to the cluster of its nearest prototype; the first among equals.

    Attributes:
        points_PD: Prototypes in the model's space, float32.
        rows_P: The row among the centroids of each one's cluster, int64.
        tree: How the prototypes were merged into clusters and on into one, where they were.
    """

    points_PD: Tensor
    rows_P: Tensor
    tree: Tree | None = None
    kind = "prototypes"

    def __call__(self, z_ND: Tensor) -> Tensor:
        """Return the row of each point's cluster, int64."""
        return self.rows_P[squared_distances(z_ND, self.points_PD).argmin(1)]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what it is made of, by name."""
        found = {"points": self.points_PD.numpy(), "rows": self.rows_P.numpy()}
        if self.tree is not None:
            found |= {
                "merges": self.tree.merges_M2,
                "heights": self.tree.heights_M,
                "sizes": self.tree.sizes_M,
            }
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Prototypes":
        """Rebuild it from `arrays`."""
        tree = None
        if "merges" in arrays:
            tree = Tree(arrays["merges"], arrays["heights"], arrays["sizes"])
        return cls(torch.from_numpy(arrays["points"]), torch.from_numpy(arrays["rows"]), tree)


Rule = Prototypes | HdbscanPredictor | DbscanPredictor

RULES: Mapping[str, type[Prototypes] | type[HdbscanPredictor] | type[DbscanPredictor]] = {
    rule.kind: rule for rule in (Prototypes, HdbscanPredictor, DbscanPredictor)
}
