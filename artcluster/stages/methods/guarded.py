"""Keeping the clusters that a refinement began from where it made them worse."""

from dataclasses import replace

import numpy as np
import torch

from artcluster.clustering.guard import PartitionQuality, guard
from artcluster.clustering.model import ClusterModel
from artcluster.config import ClusterSettings
from artcluster.metrics.contingency import cluster_sizes
from artcluster.metrics.silhouette import silhouette
from artcluster.stages.job import Job
from artcluster.stages.methods.training_set import Fitted


def guarded(
    job: Job,
    x_ND: np.ndarray,
    *,
    before: Fitted,
    after: Fitted,
    after_ND: np.ndarray | None = None,
    margin: float | None = None,
) -> Fitted:
    """Return the refined model, or the one it began from if refinement did harm; say which.

    Args:
        job: What to work with.
        x_ND: The embedder's vectors, where both are judged, and which the first model takes.
        before: What refinement began from.
        after: What it led to; its verdict says how it ended.
        after_ND: The vectors that the refined model takes; by default the same.
        margin: How far the silhouette may fall; by default `cluster.dec.guard_margin`.
    """
    settings = job.config.cluster
    with job.timings.stage("guard"):
        verdict = guard(
            _quality(before.model, x_ND, x_ND, settings),
            _quality(after.model, x_ND if after_ND is None else after_ND, x_ND, settings),
            silhouette_margin=settings.dec.guard_margin if margin is None else margin,
        )
    if verdict.keep_refinement:
        return replace(after, verdict=f"kept; {after.verdict}")
    reasons = "; ".join(verdict.reasons)
    job.progress.say(f"Refinement made the clusters worse: {reasons}. The seeds' result is kept.")
    return Fitted(
        before.model, after.training, f"discarded, the seeds' clusters are kept: {reasons}"
    )


def _quality(
    model: ClusterModel, taken_ND: np.ndarray, x_ND: np.ndarray, settings: ClusterSettings
) -> PartitionQuality:
    labels_N = model.predict(taken_ND, threads=torch.get_num_threads()).cluster
    found = silhouette(x_ND, labels_N, limit=settings.max_silhouette_vectors, seed=settings.seed)
    sizes = cluster_sizes(model.centroid_rows(labels_N), model.k)
    return PartitionQuality(sizes.tolist(), found.value)
