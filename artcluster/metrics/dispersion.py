"""Inertia and the Calinski-Harabasz index, gathered over batches of points."""

from dataclasses import dataclass

import numpy as np

from artcluster.metrics.agreement import NOISE


@dataclass(frozen=True)
class Dispersion:
    """How points spread within and between their clusters.

    Attributes:
        inertia: Sum of squared distances to the mean of the own cluster.
        between: Sum of squared distances of the clusters' means to the mean of all, by points.
        calinski_harabasz: Between over within, each by its degrees of freedom: higher is better.
            NaN for fewer than two non-empty clusters, or where no cluster has two points;
            infinite where every cluster is a single place, 1 where all are the same place.
        sizes_K: Points of each cluster, int64.
        centroids_KD: Means of the clusters, float64; NaN where empty.
    """

    inertia: float
    between: float
    calinski_harabasz: float
    sizes_K: np.ndarray
    centroids_KD: np.ndarray


class DispersionStatistic:
    """Gathers a `Dispersion` over batches, in any order, on any number of workers.

    Holds K·D numbers. Noise (−1) takes no part. Squares are summed in float64 about each batch's
    own means, because points far from the origin would lose their digits otherwise.
    """

    def __init__(self, k: int, dim: int) -> None:
        if k < 1 or dim < 1:
            raise ValueError(f"k and dim must be at least 1, got {k} and {dim}")
        self.k, self.dim = k, dim
        self.counts_K = np.zeros(k, dtype=np.int64)
        self.means_KD = np.zeros((k, dim))
        self.within_K = np.zeros(k)

    def update(self, x_ND: np.ndarray, labels_N: np.ndarray) -> None:
        """Add a batch of points with their clusters.

        Raises:
            ValueError: Shapes do not fit, or a label is not in −1 … k−1.
        """
        if x_ND.ndim != 2 or x_ND.shape[1] != self.dim or labels_N.shape != x_ND.shape[:1]:
            raise ValueError(
                f"expected points of shape (n, {self.dim}) and n labels, got {x_ND.shape} and "
                f"{labels_N.shape}"
            )
        if labels_N.size and (labels_N.min() < NOISE or labels_N.max() >= self.k):
            raise ValueError(f"labels must lie in -1 … {self.k - 1}")
        batch = DispersionStatistic(self.k, self.dim)
        order = np.argsort(labels_N, kind="stable")
        bounds = np.searchsorted(labels_N[order], np.arange(self.k + 1))
        for cluster in np.unique(labels_N[labels_N != NOISE]).tolist():
            members = x_ND[order[bounds[cluster] : bounds[cluster + 1]]].astype(np.float64)
            batch.counts_K[cluster] = len(members)
            batch.means_KD[cluster] = members.mean(0)
            members -= batch.means_KD[cluster]
            batch.within_K[cluster] = np.einsum("nd,nd->", members, members)
        self.merge(batch)

    def merge(self, other: "DispersionStatistic") -> None:
        """Add what another statistic of the same k and dim has gathered.

        Source: Chan, Golub & LeVeque 1979, Eq. 2.1.
        """
        if (self.k, self.dim) != (other.k, other.dim):
            raise ValueError(
                f"cannot merge k={other.k}, dim={other.dim} into k={self.k}, dim={self.dim}"
            )
        total = self.counts_K + other.counts_K
        share = other.counts_K / np.maximum(total, 1)
        offset = other.means_KD - self.means_KD
        squared = np.einsum("kd,kd->k", offset, offset)
        self.within_K = self.within_K + other.within_K + squared * self.counts_K * share
        self.means_KD = self.means_KD + offset * share[:, None]
        self.counts_K = total

    def compute(self) -> Dispersion:
        """Return the dispersion of all points so far."""
        sizes, n = self.counts_K, int(self.counts_K.sum())
        held = int((sizes > 0).sum())
        mean = (sizes @ self.means_KD) / max(n, 1)
        offset = self.means_KD - mean
        between = float(sizes @ np.einsum("kd,kd->k", offset, offset))
        within = float(self.within_K.sum())
        if held < 2 or n <= held:
            index = np.nan
        elif within == 0:
            index = 1.0 if between == 0 else np.inf
        else:
            index = between * (n - held) / (within * (held - 1))
        centroids = np.where(sizes[:, None] > 0, self.means_KD, np.nan)
        return Dispersion(within, between, float(index), sizes.copy(), centroids)


def calinski_harabasz(x_ND: np.ndarray, labels_N: np.ndarray, batch: int = 65536) -> float:
    """Compute the Calinski-Harabasz index of points that are at hand.

    Source: Caliński & Harabasz 1974; noise (−1) takes no part.

    >>> calinski_harabasz(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1]))
    50.0
    """
    statistic = DispersionStatistic(int(labels_N.max(initial=0)) + 1, x_ND.shape[1])
    for start in range(0, len(x_ND), batch):
        statistic.update(x_ND[start : start + batch], labels_N[start : start + batch])
    return statistic.compute().calinski_harabasz


def inertia(x_ND: np.ndarray, labels_N: np.ndarray, centroids_KD: np.ndarray) -> float:
    """Sum the squared distances of points to their cluster's centroid, in float64.

    Noise (−1) takes no part.

    >>> inertia(np.array([[0.0], [3.0]]), np.array([0, 0]), np.array([[1.0]]))
    5.0
    """
    total = 0.0
    for start in range(0, len(x_ND), 8192):
        labels = labels_N[start : start + 8192]
        real = labels != NOISE
        offset = x_ND[start : start + 8192][real].astype(np.float64) - centroids_KD[labels[real]]
        total += float(np.einsum("nd,nd->", offset, offset))
    return total
