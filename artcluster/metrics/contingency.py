"""How many points each pair of labels shares: the table all agreement measures are made from."""

import numpy as np

NOISE = -1


def contingency(labels_N: np.ndarray, truth_N: np.ndarray) -> np.ndarray:
    """Count the points of each pair of cluster and class.

    Rows are the distinct values of `labels_N` in ascending order, columns those of `truth_N`.

    Returns:
        int64 (clusters, classes); the total is N.

    Raises:
        ValueError: The two do not have the same length.

    >>> contingency(np.array([0, 0, 1]), np.array(["a", "b", "b"]))
    array([[1, 1],
           [0, 1]])
    """
    if labels_N.ndim != 1 or labels_N.shape != truth_N.shape:
        raise ValueError(
            f"labels and truth must be vectors of one length, got shapes "
            f"{labels_N.shape} and {truth_N.shape}"
        )
    clusters, rows = np.unique(labels_N, return_inverse=True)
    classes, columns = np.unique(truth_N, return_inverse=True)
    pairs = rows.astype(np.int64) * len(classes) + columns
    counts = np.bincount(pairs, minlength=len(clusters) * len(classes))
    return counts.reshape(len(clusters), len(classes))


def cluster_sizes(labels_N: np.ndarray, k: int) -> np.ndarray:
    """Count the members of clusters 0 … k−1, int64; noise (−1) is left out.

    Raises:
        ValueError: A label is below −1 or not below k.

    >>> cluster_sizes(np.array([0, 2, 2, -1]), k=3).tolist()
    [1, 0, 2]
    """
    if labels_N.size and (labels_N.min() < NOISE or labels_N.max() >= k):
        raise ValueError(
            f"labels must lie in -1 … {k - 1} for k={k}, got {labels_N.min()} … {labels_N.max()}"
        )
    return np.bincount(labels_N[labels_N != NOISE], minlength=k)


def non_empty_clusters(labels_N: np.ndarray) -> int:
    """Count the clusters that have a member; noise (−1) is not a cluster.

    >>> non_empty_clusters(np.array([0, 2, 2, -1]))
    2
    """
    return len(np.unique(labels_N[labels_N != NOISE]))
