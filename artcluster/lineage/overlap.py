"""How many members each old cluster shares with each new one: what all of lineage rests on."""

from dataclasses import dataclass

import numpy as np

from artcluster.metrics.contingency import NOISE, contingency


@dataclass(frozen=True)
class Overlap:
    """Members that old and new clusters share, over the points that both clusterings cover.

    Attributes:
        old_A: Numbers of the old clusters, ascending; noise is none.
        new_B: Numbers of the new clusters, ascending.
        shared_AB: int64, members shared.
        old_sizes_A: Members of each old cluster, those that are noise now among them.
        new_sizes_B: Members of each new cluster, those that were noise before among them.
    """

    old_A: np.ndarray
    new_B: np.ndarray
    shared_AB: np.ndarray
    old_sizes_A: np.ndarray
    new_sizes_B: np.ndarray

    @property
    def jaccard_AB(self) -> np.ndarray:
        """Members shared as a share of those of either cluster, 0 to 1; 0 for two empty ones."""
        union_AB = self.old_sizes_A[:, None] + self.new_sizes_B[None, :] - self.shared_AB
        jaccard: np.ndarray = self.shared_AB / np.maximum(union_AB, 1)
        return jaccard


def overlap(
    old_N: np.ndarray,
    new_N: np.ndarray,
    *,
    old_clusters: np.ndarray | None = None,
    new_clusters: np.ndarray | None = None,
) -> Overlap:
    """Count the members that clusters share, point by point.

    Args:
        old_N: Old cluster of each point, −1 for noise.
        new_N: New cluster of each point, −1 for noise.
        old_clusters: Numbers of old clusters that exist, empty ones too; by default those seen.
        new_clusters: The same of the new.

    Raises:
        ValueError: The two do not have the same length.

    >>> found = overlap(np.array([0, 0, 5, -1]), np.array([1, 1, 1, 2]))
    >>> found.old_A.tolist(), found.new_B.tolist(), found.shared_AB.tolist()
    ([0, 5], [1, 2], [[2, 0], [1, 0]])
    >>> found.new_sizes_B.tolist()
    [3, 1]
    """
    table = contingency(old_N, new_N)
    rows, columns = table.nonzero()
    return overlap_of_pairs(
        np.unique(old_N)[rows],
        np.unique(new_N)[columns],
        table[rows, columns],
        old_clusters=old_clusters,
        new_clusters=new_clusters,
    )


def overlap_of_pairs(
    old_P: np.ndarray,
    new_P: np.ndarray,
    count_P: np.ndarray,
    *,
    old_clusters: np.ndarray | None = None,
    new_clusters: np.ndarray | None = None,
) -> Overlap:
    """Count the members that clusters share, from counts of points by old and new cluster.

    Args:
        old_P: Old cluster of each distinct pair, −1 for noise.
        new_P: New cluster of each pair, −1 for noise.
        count_P: Points with that pair.
        old_clusters: As in `overlap`.
        new_clusters: As in `overlap`.

    >>> overlap_of_pairs(np.array([3, 3]), np.array([0, 1]), np.array([7, 2])).shared_AB.tolist()
    [[7, 2]]
    """
    old_all, new_all = _numbers(old_P, old_clusters), _numbers(new_P, new_clusters)
    table = np.zeros((len(old_all), len(new_all)), dtype=np.int64)
    table[np.searchsorted(old_all, old_P), np.searchsorted(new_all, new_P)] = count_P
    old_real, new_real = old_all != NOISE, new_all != NOISE
    return Overlap(
        old_A=old_all[old_real],
        new_B=new_all[new_real],
        shared_AB=table[old_real][:, new_real],
        old_sizes_A=table.sum(1)[old_real],
        new_sizes_B=table.sum(0)[new_real],
    )


def _numbers(seen: np.ndarray, existing: np.ndarray | None) -> np.ndarray:
    every = seen if existing is None else np.concatenate([seen, existing])
    return np.unique(every.astype(np.int64))
