"""Spherical k-means: clusters of directions, by the cosine."""

import numpy as np
import torch

from artcluster.clustering.chunks import ChunkPool, row_chunks
from artcluster.clustering.kmeans.kmeans import KMeansResult, kmeans

_ROWS = 8192


def spherical_kmeans(
    x_ND: np.ndarray,
    k: int,
    *,
    restarts: int = 20,
    seed: int = 0,
    max_iter: int = 300,
    init_KD: np.ndarray | None = None,
) -> KMeansResult:
    """Cluster vectors of length one so that the sum of cosines to the centroids is largest.

    Centroids are of length one, too, so that the nearest is that of the largest cosine. Each
    restart begins from k-means among the same vectors, and takes the means' directions from there.

    Args:
        x_ND: Vectors of length one (or zero), float32.
        k: Clusters, 1 ≤ k ≤ N.
        restarts: Independent seedings; the best is kept.
        seed: Seeds them.
        max_iter: Most iterations a restart.
        init_KD: Start from these directions, in one restart.

    Returns:
        Centroids of length one; the inertia is the sum of squared distances to them, which is
        2 Σ (1 − cosine).

    Raises:
        ValueError: As `kmeans`.

    Source: Dhillon & Modha 2001.

    >>> x = np.array([[1, 0], [0.8, 0.6], [0, -1]], np.float32)
    >>> found = spherical_kmeans(x, 2, restarts=2)
    >>> bool(found.labels_N[0] == found.labels_N[1] != found.labels_N[2])
    True
    """
    x = torch.from_numpy(np.ascontiguousarray(x_ND, dtype=np.float32))
    best: KMeansResult | None = None
    inertias: list[float] = []
    for restart in range(1 if init_KD is not None else restarts):
        start = init_KD
        if start is None:
            draw = int(np.random.default_rng([seed, restart]).integers(2**31))
            start = kmeans(x_ND, k, restarts=1, seed=draw, gpu=False).centroids_KD
        found = _iterate(x, torch.from_numpy(np.array(start, np.float32)), max_iter)
        inertias.append(found.inertia)
        if best is None or found.inertia < best.inertia:
            best = found
    assert best is not None
    return KMeansResult(
        best.centroids_KD, best.labels_N, best.inertia, best.iterations, tuple(inertias)
    )


def _iterate(x_ND: torch.Tensor, centroids_KD: torch.Tensor, max_iter: int) -> KMeansResult:
    centroids_KD = _directions(centroids_KD, centroids_KD)
    labels_N, inertia = _assign(x_ND, centroids_KD)
    for iteration in range(1, max_iter + 1):  # noqa: B007
        sums_KD = torch.zeros(centroids_KD.shape, dtype=torch.float64)
        for a, b in row_chunks(len(x_ND), _ROWS):
            sums_KD.index_add_(0, labels_N[a:b], x_ND[a:b].double())
        moved_KD = _directions(sums_KD, centroids_KD)
        now_N, now = _assign(x_ND, moved_KD)
        settled = torch.equal(now_N, labels_N)
        centroids_KD, labels_N, inertia = moved_KD, now_N, now
        if settled:
            break
    return KMeansResult(
        centroids_KD.numpy(), labels_N.to(torch.int32).numpy(), inertia, iteration, (inertia,)
    )


def _assign(x_ND: torch.Tensor, centroids_KD: torch.Tensor) -> tuple[torch.Tensor, float]:
    labels_N = torch.empty(len(x_ND), dtype=torch.int64)

    def one(bounds: tuple[int, int]) -> float:
        a, b = bounds
        rows = x_ND[a:b]
        cosine, label = (rows @ centroids_KD.T).max(1)
        labels_N[a:b] = label
        # |x − c|², of which |x|² is 0 for a vector of zeros.
        squared = rows.square().sum(1) + 1 - 2 * cosine
        return float(squared.clamp(min=0).sum(dtype=torch.float64))

    with ChunkPool() as pool:
        return labels_N, sum(pool.map(one, row_chunks(len(x_ND), _ROWS)))


def _directions(sums_KD: torch.Tensor, before_KD: torch.Tensor) -> torch.Tensor:
    """Return the sums at length one; a cluster whose sum is zero stays where it was."""
    norms = torch.linalg.vector_norm(sums_KD, dim=1, keepdim=True)
    return torch.where(norms > 1e-9, (sums_KD / norms.clamp(min=1e-9)).float(), before_KD.float())
