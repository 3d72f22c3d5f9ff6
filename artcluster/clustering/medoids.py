"""The points nearest to each centroid, gathered over batches."""

import numpy as np


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
