"""Groups of hashes that differ in few bits, without comparing all with all."""

from itertools import pairwise

import numpy as np

from artcluster.metrics.components import Components

_BITS = 64
_BLOCK_VALUES = 1 << 22
_ONES = np.array([bin(value).count("1") for value in range(1 << 16)], np.uint8)


def hash_groups(hash_N: np.ndarray, bits: int) -> list[np.ndarray]:
    """Group hashes that a chain of small Hamming distances joins.

    Hashes that differ in at most b bits agree in one of b + 1 bands of bits, so that only those
    that share a band are compared. Memory is bounded: a block of comparisons at a time.

    Args:
        hash_N: uint64.
        bits: Hamming distance, 0 to 31, up to which two hashes belong together.

    Returns:
        Rows of each group of two and more, ascending; the largest group first.

    >>> hash_groups(np.array([0b0111, 1 << 40, 0b0001, 0b0011], np.uint64), 1)
    [array([0, 2, 3])]
    """
    if not 0 <= bits < _BITS // 2:
        raise ValueError(f"bits: expected 0 to {_BITS // 2 - 1}, got {bits}")
    found = Components(len(hash_N))
    distinct_U, place_N = np.unique(np.asarray(hash_N, np.uint64), return_inverse=True)
    first_U = np.full(len(distinct_U), -1)
    first_U[place_N[::-1]] = np.arange(len(hash_N))[::-1]
    found.join(np.arange(len(hash_N)), first_U[place_N])
    edges = np.linspace(0, _BITS, bits + 2).astype(int)
    for low, high in pairwise(edges):
        band_U = (distinct_U >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band_U, kind="stable")
        ends = 1 + np.flatnonzero(np.diff(band_U[order]))
        for rows in np.split(order, ends):
            _join_near(found, distinct_U, first_U, rows, bits)
    return found.groups()


def hamming(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the number of bits in which uint64 values differ, broadcast against one another.

    >>> hamming(np.array([0b111], np.uint64), np.array([0b100], np.uint64)).tolist()
    [2]
    """
    differing = np.ascontiguousarray(np.bitwise_xor(a, b))
    counts: np.ndarray = _ONES[differing.view(np.uint16)].reshape(*differing.shape, 4).sum(-1)
    return counts


def _join_near(
    found: Components, hash_U: np.ndarray, first_U: np.ndarray, rows: np.ndarray, bits: int
) -> None:
    if len(rows) < 2:
        return
    step = max(1, _BLOCK_VALUES // len(rows))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        near = hamming(hash_U[some][:, None], hash_U[rows[start:]][None, :]) <= bits
        row, column = np.nonzero(np.triu(near, 1))
        found.join(first_U[some[row]], first_U[rows[start:][column]])
