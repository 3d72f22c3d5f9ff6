"""DBSCAN by scikit-learn, as centroids and a rule that assigns later points, too."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from artcluster.metrics.agreement import NOISE


@dataclass(frozen=True)
class DbscanPredictor:
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

        >>> rule = DbscanPredictor(torch.tensor([[0.0], [9.0]]), torch.tensor([0, 1]), 1.0)
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
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "DbscanPredictor":
        """Rebuild it from `arrays`."""
        points, rows = (torch.from_numpy(arrays[name]) for name in ("points", "rows"))
        return cls(points, rows, float(arrays["eps"][0]))


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
    rule: DbscanPredictor


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
    rule = DbscanPredictor(points, torch.from_numpy(found.labels_[core_P].astype(np.int64)), eps)
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
