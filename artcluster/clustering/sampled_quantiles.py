"""Quantiles of values by group with bounded memory: exact while they fit, else of a sample."""

from itertools import pairwise

import numpy as np


class SampledQuantiles:
    """Gathers values by group; keeps at most `limit` of each, chosen by a hash of their number.

    A group is exact while it has no more than `limit` values; past that the kept ones are a
    uniform sample. Which ones does not depend on the batches or on the order of merging.

    Args:
        groups: Number of groups.
        limit: Most values kept a group.
        seed: Changes the hash.
    """

    def __init__(self, groups: int, limit: int, seed: int = 0) -> None:
        if groups < 1 or limit < 1:
            raise ValueError(f"groups and limit must be at least 1, got {groups} and {limit}")
        self.groups, self.limit, self.seed = groups, limit, seed
        self.seen = np.zeros(groups, dtype=np.int64)
        self._batches: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._pending = 0

    def update(self, numbers_N: np.ndarray, groups_N: np.ndarray, values_N: np.ndarray) -> None:
        """Add values.

        Args:
            numbers_N: A number of its own for each value over the whole data, int64.
            groups_N: Group of each value.
            values_N: float32.
        """
        keys = _hash(numbers_N, self.seed)
        self.seen += np.bincount(groups_N, minlength=self.groups)
        self._add(groups_N.astype(np.int32), keys, values_N.astype(np.float32))

    def merge(self, other: "SampledQuantiles") -> None:
        """Add what another one has gathered from other values."""
        mine, its = (self.groups, self.limit, self.seed), (other.groups, other.limit, other.seed)
        if mine != its:
            raise ValueError(f"cannot merge (groups, limit, seed) = {its} into {mine}")
        self.seen += other.seen
        for batch in other._batches:
            self._add(*batch)

    def compute(self, quantile: float) -> np.ndarray:
        """Return each group's quantile, float32, interpolated linearly; NaN where it is empty."""
        if not 0 <= quantile <= 1:
            raise ValueError(f"quantile must lie in 0 … 1, got {quantile}")
        self._thin()
        groups, _, values = self._batches[0] if self._batches else _EMPTY
        bounds = np.searchsorted(groups, np.arange(self.groups + 1))
        result = np.full(self.groups, np.nan, dtype=np.float32)
        for group, (start, end) in enumerate(pairwise(bounds)):
            if end > start:
                result[group] = np.quantile(values[start:end].astype(np.float64), quantile)
        return result

    @property
    def exact(self) -> bool:
        """Whether every value was kept."""
        return bool((self.seen <= self.limit).all())

    def _add(self, groups: np.ndarray, keys: np.ndarray, values: np.ndarray) -> None:
        self._batches.append((groups, keys, values))
        self._pending += len(values)
        if self._pending > max(1 << 18, self._kept_at_most()):
            self._thin()

    def _kept_at_most(self) -> int:
        return int(np.minimum(self.seen, self.limit).sum())

    def _thin(self) -> None:
        if not self._batches:
            return
        groups, keys, values = (
            np.concatenate(arrays) for arrays in zip(*self._batches, strict=True)
        )
        order = np.lexsort((keys, groups))
        groups = groups[order]
        rank = np.arange(len(groups)) - np.searchsorted(groups, groups)
        kept = order[rank < self.limit]
        self._batches = [(groups[rank < self.limit], keys[kept], values[kept])]
        self._pending = 0


_EMPTY = (np.empty(0, np.int32), np.empty(0, np.uint64), np.empty(0, np.float32))


def _hash(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Splitmix64 of the numbers: uniform over uint64.

    Source: Steele, Lea & Flood 2014.
    """
    golden = 0x9E3779B97F4A7C15
    state = np.uint64((seed + 1) * golden % 2**64)
    z = numbers.astype(np.uint64) * np.uint64(golden) + state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)
