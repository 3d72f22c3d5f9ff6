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
    """Count the members that clusters share.

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
    old_all = np.union1d(np.unique(old_N), _given(old_clusters))
    new_all = np.union1d(np.unique(new_N), _given(new_clusters))
    table = np.zeros((len(old_all), len(new_all)), dtype=np.int64)
    if len(old_N) or len(new_N):
        seen = np.ix_(
            np.searchsorted(old_all, np.unique(old_N)), np.searchsorted(new_all, np.unique(new_N))
        )
        table[seen] = contingency(old_N, new_N)
    old_real, new_real = old_all != NOISE, new_all != NOISE
    return Overlap(
        old_A=old_all[old_real],
        new_B=new_all[new_real],
        shared_AB=table[old_real][:, new_real],
        old_sizes_A=table.sum(1)[old_real],
        new_sizes_B=table.sum(0)[new_real],
    )


def _given(clusters: np.ndarray | None) -> np.ndarray:
    return np.empty(0, dtype=np.int64) if clusters is None else np.asarray(clusters)
