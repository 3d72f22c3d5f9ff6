"""How surely each point belongs to its cluster, and which points are doubtful."""

from dataclasses import dataclass, fields

import numpy as np
import torch

from artcluster.clustering.chunks import squared_distances
from artcluster.metrics.agreement import NOISE


class Medoids:
    """Gathers the `count` nearest points of each cluster, in any order, on any number of workers.

    Noise (−1) takes no part. Among equal distances the lower number is kept.
    """

    def __init__(self, k: int, count: int) -> None:
        if k < 1 or count < 1:
            raise ValueError(f"k and count must be at least 1, got {k} and {count}")
        self.k, self.count = k, count
        self._numbers = np.empty(0, dtype=np.int64)
        self._clusters = np.empty(0, dtype=np.int64)
        self._distances = np.empty(0, dtype=np.float64)

    def update(
        self, numbers_N: np.ndarray, clusters_N: np.ndarray, distances_N: np.ndarray
    ) -> None:
        """Add points.

        Args:
            numbers_N: A number of its own for each point over the whole data.
            clusters_N: Cluster of each, −1 for noise.
            distances_N: Distance of each to its centroid.

        Raises:
            ValueError: Lengths differ, or a cluster is not in −1 … k−1.
        """
        if not len(numbers_N) == len(clusters_N) == len(distances_N):
            raise ValueError(
                f"numbers, clusters and distances must be of one length, got {len(numbers_N)}, "
                f"{len(clusters_N)} and {len(distances_N)}"
            )
        if len(clusters_N) and (clusters_N.min() < -1 or clusters_N.max() >= self.k):
            raise ValueError(f"clusters must lie in -1 … {self.k - 1}")
        real = clusters_N >= 0
        self._keep(numbers_N[real], clusters_N[real], distances_N[real])

    def merge(self, other: "Medoids") -> None:
        """Add what another one of the same k and count has gathered."""
        if (self.k, self.count) != (other.k, other.count):
            raise ValueError(
                f"cannot merge k={other.k}, count={other.count} into k={self.k}, count={self.count}"
            )
        self._keep(other._numbers, other._clusters, other._distances)

    def compute(self) -> list[np.ndarray]:
        """Return the numbers of each cluster's nearest points, nearest first."""
        bounds = np.searchsorted(self._clusters, np.arange(self.k + 1))
        return [self._numbers[bounds[j] : bounds[j + 1]] for j in range(self.k)]

    def _keep(self, numbers: np.ndarray, clusters: np.ndarray, distances: np.ndarray) -> None:
        numbers = np.concatenate([self._numbers, numbers])
        clusters = np.concatenate([self._clusters, clusters])
        distances = np.concatenate([self._distances, distances])
        order = np.lexsort((numbers, distances, clusters))
        ordered = clusters[order]
        rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
        kept = order[rank < self.count]
        self._numbers, self._clusters = numbers[kept], clusters[kept]
        self._distances = distances[kept]


def medoids(
    clusters_N: np.ndarray, distances_N: np.ndarray, k: int, count: int
) -> list[np.ndarray]:
    """Return the row numbers of each cluster's `count` nearest points, nearest first.

    >>> found = medoids(np.array([0, 1, 0, 0]), np.array([3.0, 1.0, 1.0, 2.0]), k=2, count=2)
    >>> [rows.tolist() for rows in found]
    [[2, 3], [1]]
    """
    found = Medoids(k, count)
    found.update(np.arange(len(clusters_N)), clusters_N, distances_N)
    return found.compute()


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
    squared_NK = squared_distances(z_ND, centroids_KD).numpy()
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
