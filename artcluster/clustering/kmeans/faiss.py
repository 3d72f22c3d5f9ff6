"""k-means by FAISS, for those who have it on their GPUs or want it for comparison."""

from dataclasses import replace
from typing import Literal

import numpy as np

from artcluster.clustering.kmeans.kmeans import KMeansResult, kmeans

_ITERATIONS = 100
_SMALLEST_GAIN = 1e-4


def kmeans_by_faiss(
    x_ND: np.ndarray,
    k: int,
    *,
    restarts: int = 20,
    seed: int = 0,
    gpu: bool | Literal["auto"] = "auto",
) -> KMeansResult:
    """Cluster points by FAISS's k-means, over all points, and keep the best of several restarts.

    FAISS's defaults are another method: 256 points a centroid, drawn at random, one restart. Its
    best centroids are then iterated to convergence as `kmeans` does, which also labels the points.

    Args:
        x_ND: Points, converted to float32 if they are not.
        k: Clusters, 1 ≤ k ≤ N.
        restarts: Seedings by k-means++.
        seed: Seeds restart r with seed + r.
        gpu: Whether FAISS computes on the GPU; "auto" where it finds one.

    Raises:
        ValueError: FAISS is not installed, or as `kmeans`.

    Source: Johnson, Douze and Jégou 2019; Arthur & Vassilvitskii 2007.
    """
    try:
        import faiss
    except ImportError:
        raise ValueError(
            "kmeans_engine faiss needs FAISS: install artcluster[cpu] or artcluster[gpu], or "
            "leave the engine at torch"
        ) from None
    points = np.ascontiguousarray(x_ND, dtype=np.float32)
    if points.ndim != 2 or len(points) < k or not np.isfinite(points).all():
        raise ValueError(f"expected at least {k} finite points (N, D), got {x_ND.shape}")
    found = []
    for restart in range(restarts):
        search = faiss.Kmeans(
            points.shape[1],
            k,
            niter=_ITERATIONS,
            seed=seed + restart,
            min_points_per_centroid=1,
            max_points_per_centroid=len(points),
            init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
            early_stop_threshold=_SMALLEST_GAIN,
            gpu=gpu is True or (gpu == "auto" and faiss.get_num_gpus() > 0),
        )
        search.train(points)
        assert search.obj is not None
        found.append((float(search.obj[-1]), np.array(search.centroids, dtype=np.float32)))
    inertias = tuple(inertia for inertia, _ in found)
    best = found[int(np.argmin(inertias))][1]
    return replace(kmeans(points, k, init_KD=best, gpu=gpu), restart_inertias=inertias)
