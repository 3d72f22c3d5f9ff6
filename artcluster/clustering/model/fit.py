"""Making a model from centroids: its thresholds, fixed on the vectors it was fitted on."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np

from artcluster.clustering.chunks import row_chunks
from artcluster.clustering.model.blockwise import membership_blocks
from artcluster.clustering.model.confidence import distance_to_own
from artcluster.clustering.model.model import ClusterModel, FittedOn
from artcluster.clustering.model.rules import Rule
from artcluster.clustering.model.space import ModelSpace
from artcluster.metrics.agreement import NOISE


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


_BATCH_ROWS = 16384


Embeddings = np.ndarray | Callable[[], Iterable[np.ndarray]]
"""Vectors at hand, or a function that yields them in batches, the same each time it is called."""


def fit_model(
    embeddings: Embeddings,
    *,
    method: str,
    embedder_id: str,
    space: ModelSpace,
    centroids_KD: np.ndarray,
    rule: Rule | None = None,
    low_confidence_quantile: float = 0.05,
    outlier_quantile: float = 0.99,
    sample_limit: int = 2_000_000,
    seed: int = 0,
    threads: int = 1,
) -> ClusterModel:
    """Make a model from centroids: fix its thresholds on the vectors it was fitted on.

    The vectors are passed over twice: for the clusters' means in the embedder's space, then for
    the distances to them. Quantiles are exact up to `sample_limit` values in all for confidence,
    and `sample_limit` over k (at least 1,000) a cluster for distances; past that they are of
    uniform samples of those sizes. Noise takes no part.

    Args:
        embeddings: Vectors (N, dim).
        method: Name of the method.
        embedder_id: Whose vectors they are.
        space: The way into the model's space.
        centroids_KD: Centroids in the model's space.
        rule: Which cluster a point belongs to, where that is not the nearest centroid's.
        low_confidence_quantile: Share of assignments to count as of low confidence.
        outlier_quantile: Share of a cluster's members that lie within its outlier distance.
        sample_limit: Most values kept for quantiles.
        seed: Seeds the samples.
        threads: CPU threads.

    Raises:
        ValueError: There are no vectors, centroids do not fit the space, or the second pass
            yields another number of vectors than the first.
    """
    centroids = np.ascontiguousarray(centroids_KD, dtype=np.float32)
    if centroids.ndim != 2 or centroids.shape[1] != space.out_dim or not len(centroids):
        raise ValueError(
            f"expected centroids of shape (k, {space.out_dim}), got {centroids_KD.shape}"
        )
    k = len(centroids)
    sums_KD, counts_K = np.zeros((k, space.dim)), np.zeros(k, dtype=np.int64)
    confidences = SampledQuantiles(1, sample_limit, seed)
    labels: list[np.ndarray] = []
    points = 0
    for batch in _batches(embeddings):
        found = membership_blocks(space, centroids, batch, threads, rule)
        labels.append(found.cluster)
        held = found.cluster != NOISE
        counts_K += np.bincount(found.cluster[held], minlength=k)
        for cluster in np.unique(found.cluster[held]):
            sums_KD[cluster] += batch[found.cluster == cluster].sum(0, dtype=np.float64)
        numbers = np.arange(points, points + len(batch))[held]
        confidences.update(numbers, np.zeros(len(numbers), np.int64), found.confidence[held])
        points += len(batch)
    if not points:
        raise ValueError("a model needs at least one vector to be fitted on, got none")
    overall_D = sums_KD.sum(0) / max(counts_K.sum(), 1)
    means_KD = np.where(
        counts_K[:, None] > 0, sums_KD / np.maximum(counts_K, 1)[:, None], overall_D
    ).astype(np.float32)
    distances = SampledQuantiles(k, max(1000, sample_limit // k), seed)
    passed = 0
    for clusters, batch in zip(labels, _batches(embeddings), strict=True):
        if len(clusters) != len(batch):
            raise ValueError(
                f"embeddings must yield the same batches each time, got one of {len(batch)} "
                f"vectors where there were {len(clusters)}"
            )
        numbers, held = np.arange(passed, passed + len(batch)), clusters != NOISE
        own = clusters[held]
        distances.update(numbers[held], own, distance_to_own(batch[held], means_KD, own))
        passed += len(batch)
    outlier_K = distances.compute(outlier_quantile)
    return ClusterModel(
        method=method,
        embedder_id=embedder_id,
        space=space,
        centroids_KD=centroids,
        embedder_centroids_KD=means_KD,
        outlier_distance_K=np.where(np.isnan(outlier_K), np.float32(np.inf), outlier_K),
        low_confidence=float(confidences.compute(low_confidence_quantile)[0]),
        fitted_on=FittedOn(
            points,
            low_confidence_quantile,
            outlier_quantile,
            confidences.exact and distances.exact,
        ),
        numbers_K=np.arange(k, dtype=np.int32),
        rule=rule,
    )


def _batches(embeddings: Embeddings) -> Iterator[np.ndarray]:
    if callable(embeddings):
        yield from embeddings()
    else:
        for a, b in row_chunks(len(embeddings), _BATCH_ROWS):
            yield embeddings[a:b]
