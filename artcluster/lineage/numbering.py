"""The numbers of a new clustering's clusters: those of the old that go on, then unused ones."""

from collections.abc import Mapping

import numpy as np


def stable_numbers(
    new_sizes_B: np.ndarray, continues: Mapping[int, int], next_number: int
) -> np.ndarray:
    """Number the clusters of a new clustering.

    A cluster that continues an old one has its number. The others get numbers that were never
    used, the largest cluster first, so that a dead cluster's number never comes back.

    Args:
        new_sizes_B: Members of each new cluster, in its own order.
        continues: Old number → place in that order, as `match_clusters` gives it.
        next_number: The first number that was never used.

    Returns:
        int32 (B,).

    Raises:
        ValueError: An old number is not below `next_number`, or a place is given twice.

    >>> stable_numbers(np.array([10, 40, 30, 20]), {7: 0, 2: 3}, next_number=9).tolist()
    [7, 9, 10, 2]
    """
    if max(continues, default=-1) >= next_number or len(set(continues.values())) < len(continues):
        raise ValueError(
            f"expected old numbers below next_number = {next_number}, each at a place of its own, "
            f"got {dict(continues)}"
        )
    numbers_B = np.full(len(new_sizes_B), -1, dtype=np.int32)
    for old, place in continues.items():
        numbers_B[place] = old
    fresh = np.flatnonzero(numbers_B < 0)
    largest_first = fresh[np.argsort(-new_sizes_B[fresh], kind="stable")]
    numbers_B[largest_first] = np.arange(next_number, next_number + len(fresh))
    return numbers_B
