"""How surely each point belongs to its cluster, and which points are doubtful."""

from dataclasses import dataclass, fields

import numpy as np
import torch

from artcluster.metrics.contingency import NOISE


@dataclass(frozen=True)
class Assignment:
    """Clusters of N points; the fields are columns of the assignments table.

    Attributes:
        cluster: int32, nearest centroid in the model's space, the lowest number among equals; or
            what the model's rule says, −1 for noise.
        confidence: float32, Student-t membership of the cluster, 0 to 1; 0 for noise.
        margin: float32, confidence less the second cluster's membership, 0 to 1.
        distance: float32, Euclidean distance to the centroid in the model's space; for noise, to
            the nearest one.
        second_cluster: int32, the nearest of the others; −1 in a model of one cluster.
        low_confidence: bool, confidence below the model's fitted quantile.
        outlier: bool, farther from its cluster's mean in the embedder's space than the cluster's
            fitted quantile.
    """

    cluster: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray
    distance: np.ndarray
    second_cluster: np.ndarray
    low_confidence: np.ndarray
    outlier: np.ndarray

    def __len__(self) -> int:
        return len(self.cluster)

    def columns(self) -> dict[str, np.ndarray]:
        """Return the arrays by column name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def concatenate(parts: "list[Assignment]") -> "Assignment":
        """Join assignments of consecutive points."""
        columns = [part.columns() for part in parts]
        return Assignment(
            **{name: np.concatenate([each[name] for each in columns]) for name in columns[0]}
        )


@dataclass(frozen=True)
class Membership:
    """What follows from points and centroids alone, before thresholds; as in `Assignment`."""

    cluster: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray
    distance: np.ndarray
    second_cluster: np.ndarray


def membership(
    z_ND: torch.Tensor, centroids_KD: torch.Tensor, rows_N: np.ndarray | None = None
) -> Membership:
    """Assign points to centroids and measure how surely.

    The membership of cluster j is the Student-t kernel with one degree of freedom, normalised:
    q_j = (1 + |z − c_j|²)⁻¹ / Σ (1 + |z − c|²)⁻¹. Distances are computed in float64.

    Args:
        z_ND: Points in the model's space.
        centroids_KD: Centroids.
        rows_N: The centroid of each point's cluster, −1 for noise; by default the nearest.

    Source: Xie et al. 2016, Eq. 1, α = 1.

    >>> found = membership(torch.tensor([[0.0], [3.0]]), torch.tensor([[0.0], [4.0]]))
    >>> found.cluster.tolist(), found.second_cluster.tolist(), found.distance.tolist()
    ([0, 1], [1, 0], [0.0, 1.0])
    >>> [round(float(confidence), 4) for confidence in found.confidence]  # 17/18 and 10/12
    [0.9444, 0.8333]
    """
    z, centroids = z_ND.double(), centroids_KD.double()
    squared_NK = (
        torch.addmm(torch.linalg.vecdot(centroids, centroids)[None, :], z, centroids.T, alpha=-2)
        .add_(torch.linalg.vecdot(z, z)[:, None])
        .clamp_(min=0)
        .numpy()
    )
    rows = np.arange(len(squared_NK))
    kernel_NK = 1 / (1 + squared_NK)
    total = kernel_NK.sum(1)
    nearest = squared_NK.argmin(1)
    cluster = nearest if rows_N is None else rows_N
    noise = cluster == NOISE
    own = np.where(noise, nearest, cluster)
    distance = np.sqrt(squared_NK[rows, own])
    confidence = np.where(noise, 0, kernel_NK[rows, own] / total)
    squared_NK[rows[~noise], own[~noise]] = np.inf
    if squared_NK.shape[1] == 1:
        second, margin = np.where(noise, 0, -1), confidence
    else:
        second = squared_NK.argmin(1)
        margin = confidence - kernel_NK[rows, second] / total
    return Membership(
        cluster=cluster.astype(np.int32),
        confidence=confidence.astype(np.float32),
        margin=np.maximum(margin, 0).astype(np.float32),
        distance=distance.astype(np.float32),
        second_cluster=second.astype(np.int32),
    )


def distance_to_own(x_ND: np.ndarray, means_KD: np.ndarray, cluster_N: np.ndarray) -> np.ndarray:
    """Return each point's Euclidean distance to its cluster's mean, float32.

    >>> distance_to_own(np.array([[3.0, 4.0]]), np.array([[0.0, 0.0]]), np.array([0])).tolist()
    [5.0]
    """
    offset = x_ND.astype(np.float64) - means_KD[cluster_N]
    distances: np.ndarray = np.sqrt(np.einsum("nd,nd->n", offset, offset))
    return distances.astype(np.float32)
