"""DBSCAN by scikit-learn, as centroids and a rule that assigns later points, too."""

from dataclasses import dataclass

import numpy as np
import torch

from artcluster.clustering.core_reach import CoreReach
from artcluster.metrics.contingency import NOISE


@dataclass(frozen=True)
class DbscanResult:
    """What DBSCAN found.

    Attributes:
        labels_N: The cluster of each point, 0 … k − 1 by first member, −1 for noise, int64.
        centroids_KD: Means of the clusters, float32.
        rule: Assigns points; the fitted ones as here, but that of the clusters which a border
            point reaches the nearest one has it.
    """

    labels_N: np.ndarray
    centroids_KD: np.ndarray
    rule: CoreReach


def dbscan(x_ND: np.ndarray, *, eps: float, min_samples: int) -> DbscanResult | None:
    """Group points that lie within eps of one another, where enough of them do.

    The work grows with the square of the points.

    Args:
        x_ND: Points, float32.
        eps: Points within this Euclidean distance are neighbours.
        min_samples: Neighbours, itself counted, that make a point a core point.

    Returns:
        None where nothing is dense enough.

    Source: Ester et al. 1996.
    """
    from sklearn.cluster import DBSCAN

    found = DBSCAN(eps=eps, min_samples=min_samples).fit(x_ND.astype(np.float64))
    core_P = found.core_sample_indices_
    k = int(found.labels_.max(initial=NOISE)) + 1
    if not k:
        return None
    points = torch.from_numpy(np.ascontiguousarray(x_ND[core_P], np.float32))
    rule = CoreReach(points, torch.from_numpy(found.labels_[core_P].astype(np.int64)), eps)
    # By the rule, so that a point is the same's whether it is fitted or comes later.
    labels_N = rule(torch.from_numpy(np.ascontiguousarray(x_ND, np.float32))).numpy()
    means = [x_ND[labels_N == row].mean(0, dtype=np.float64) for row in range(k)]
    return DbscanResult(labels_N, np.array(means, np.float32), rule)


def knee_distance(x_ND: np.ndarray, neighbours: int) -> float:
    """Return the distance at which points stop having near ones: the knee of the k-distances.

    The distances of all points to their k-th nearest other one are sorted; the knee is where the
    curve lies farthest below the line between its ends.

    Args:
        x_ND: Points, float32, more than `neighbours` of them.
        neighbours: k, oneself not counted.

    Source: Ester et al. 1996, section 4.2, where a person looks for the first valley; the line
    between the ends is Satopää et al.'s 2011.

    >>> round(knee_distance(np.array([[0], [1], [2], [3], [50], [100]], np.float32), 1), 3)
    1.0
    """
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=neighbours + 1).fit(x_ND.astype(np.float64))
    nearest_N = np.sort(index.kneighbors()[0][:, neighbours - 1])
    line_N = np.linspace(nearest_N[0], nearest_N[-1], len(nearest_N))
    # A little more, so that who lies at this very distance is a neighbour however that is rounded.
    return float(nearest_N[np.argmax(line_N - nearest_N)]) * (1 + 1e-6)
