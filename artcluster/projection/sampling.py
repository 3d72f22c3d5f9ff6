"""Choosing the images that a map is fitted on."""

import numpy as np


def stratified_sample(strata_N: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Choose rows so that every stratum has its share, and small ones at least a few.

    Args:
        strata_N: Integers; the stratum of each row.
        size: Rows wanted; all of them where there are not more.
        seed: Of the choice within strata.

    Returns:
        int64 rows, ascending; more than `size` by the few that small strata have at least, and
        by rounding.

    >>> stratified_sample(np.array([0] * 90 + [1] * 10), 50, seed=0).size
    50
    """
    if len(strata_N) <= size:
        return np.arange(len(strata_N))
    generator = np.random.default_rng(seed)
    strata, counts = np.unique(strata_N, return_counts=True)
    least = min(5, size // len(strata))
    share = np.maximum(np.round(counts * (size / len(strata_N))).astype(np.int64), least)
    chosen = [
        generator.choice(np.flatnonzero(strata_N == stratum), min(wanted, count), replace=False)
        for stratum, wanted, count in zip(strata, share, counts, strict=True)
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)
