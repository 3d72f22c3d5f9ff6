"""HDBSCAN by scikit-learn, as centroids and a rule that assigns later points, too."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from artcluster.clustering.density_reach import DensityReach, core_distances
from artcluster.clustering.point_distances import squared_distances
from artcluster.clustering.row_chunks import row_chunks
from artcluster.metrics.contingency import NOISE

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
    rule: DensityReach


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
        DensityReach(points, rows, core_N, reach_K, min_samples),
    )


def _core_distances(points_ND: torch.Tensor, neighbours: int) -> torch.Tensor:
    """Return each point's distance to its m-th nearest, itself counted, float64."""
    double = points_ND.double()
    parts = [
        core_distances(squared_distances(double[a:b], double).sqrt_(), neighbours)
        for a, b in row_chunks(len(double), _ROWS)
    ]
    return torch.cat(parts)
