"""Small groups of points that are merged, never divided: single points, or cells of k-means."""

from dataclasses import dataclass

import numpy as np

from artcluster.clustering.kmeans import kmeans

_ITERATIONS = 20
"""Of k-means: cells need to be small, not optimal."""


@dataclass(frozen=True)
class Cells:
    """A cell for each point.

    Attributes:
        cells_N: The cell of each, 0 … L − 1, int64; none is empty.
        means_LD: Means of their points, float32.
        sizes_L: Points in each.
    """

    cells_N: np.ndarray
    means_LD: np.ndarray
    sizes_L: np.ndarray


def make_cells(z_ND: np.ndarray, limit: int, seed: int) -> Cells:
    """Return a cell a point up to `limit` points, and as many cells of k-means past it.

    Args:
        z_ND: Points, float32.
        limit: Most cells.
        seed: Seeds k-means.

    >>> make_cells(np.array([[0.0], [5.0]], np.float32), 2, 0).cells_N.tolist()
    [0, 1]
    """
    if len(z_ND) <= limit:
        return Cells(np.arange(len(z_ND)), z_ND, np.ones(len(z_ND), dtype=np.int64))
    found = kmeans(z_ND, limit, restarts=1, seed=seed, max_iter=_ITERATIONS, gpu="auto")
    # Where fewer points than cells are distinct, some are empty.
    held, cells_N = np.unique(found.labels_N, return_inverse=True)
    sizes_L = np.bincount(cells_N)
    return Cells(cells_N, found.centroids_KD[held], sizes_L)


def group_means(means_LD: np.ndarray, sizes_L: np.ndarray, groups_L: np.ndarray) -> np.ndarray:
    """Return the means of groups of cells, of all their points, float32 (K, D).

    >>> group_means(np.array([[0.0], [3.0], [8.0]]), np.array([2, 1, 1]), np.array([0, 0, 1]))
    array([[1.],
           [8.]], dtype=float32)
    """
    share_KL = np.zeros((int(groups_L.max()) + 1, len(groups_L)))
    share_KL[groups_L, np.arange(len(groups_L))] = sizes_L
    share_KL /= share_KL.sum(1, keepdims=True)
    return np.asarray(share_KL @ means_LD, np.float32)
