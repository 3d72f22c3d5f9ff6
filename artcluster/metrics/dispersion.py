"""Inertia and the Calinski-Harabasz index."""

from dataclasses import dataclass

import numpy as np

from artcluster.metrics.agreement import NOISE


@dataclass(frozen=True)
class Dispersion:
    """How points spread within and between their clusters.

    Attributes:
        inertia: Sum of squared distances to the mean of the own cluster.
        calinski_harabasz: Spread between over spread within, each by its degrees of freedom. NaN
            for fewer than two non-empty clusters, or where no cluster has two points; infinite
            where every cluster is a single place, 1 where all are the same place.
    """

    inertia: float
    calinski_harabasz: float


def dispersion(x_ND: np.ndarray, labels_N: np.ndarray) -> Dispersion:
    """Measure the spread of points about the means of their clusters; noise (−1) takes no part.

    Squares are summed in float64 about each cluster's own mean, because points far from the origin
    would lose their digits otherwise. One cluster's points are copied at a time.

    Raises:
        ValueError: There is not one label per point.

    Source: Caliński & Harabasz 1974.

    >>> dispersion(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1]))
    Dispersion(inertia=4.0, calinski_harabasz=50.0)
    """
    if x_ND.ndim != 2 or labels_N.shape != x_ND.shape[:1]:
        raise ValueError(f"expected (n, d) points, n labels; got {x_ND.shape}, {labels_N.shape}")
    order = np.argsort(labels_N, kind="stable")
    clusters, starts = np.unique(labels_N[order], return_index=True)
    within, sizes, means = 0.0, [], []
    for cluster, rows in zip(clusters, np.split(order, starts[1:]), strict=True):
        if cluster != NOISE:
            members = x_ND[rows].astype(np.float64)
            means.append(members.mean(0))
            sizes.append(len(members))
            members -= means[-1]
            within += float(np.einsum("nd,nd->", members, members))
    k, n = len(sizes), sum(sizes)
    if k < 2 or n <= k:
        return Dispersion(within, np.nan)
    offset_KD = np.array(means) - np.average(means, axis=0, weights=sizes)
    between = float(np.array(sizes) @ np.einsum("kd,kd->k", offset_KD, offset_KD))
    if within == 0:
        return Dispersion(0.0, 1.0 if between == 0 else np.inf)
    return Dispersion(within, between * (n - k) / (within * (k - 1)))


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
