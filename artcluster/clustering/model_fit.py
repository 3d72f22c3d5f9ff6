"""Making a model from centroids: its thresholds, fixed on the vectors it was fitted on."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from artcluster.clustering.blockwise import membership_blocks
from artcluster.clustering.confidence import distance_to_own
from artcluster.clustering.model import ClusterModel, FittedOn
from artcluster.clustering.model_space import ModelSpace
from artcluster.clustering.row_chunks import row_chunks
from artcluster.clustering.rules import Rule
from artcluster.clustering.sampled_quantiles import SampledQuantiles
from artcluster.metrics.contingency import NOISE

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
