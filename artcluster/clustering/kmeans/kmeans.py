"""k-means over all points: greedy k-means++ seeds, several restarts, the best inertia kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from artcluster.clustering.chunks import ChunkPool, row_chunks
from artcluster.clustering.kmeans.lloyd import LloydResult, lloyd
from artcluster.clustering.kmeans.seeds import kmeans_plus_plus

_SMALL = 1 << 22
"""Numbers below which points stay in a cache, and restarts run side by side."""

_SEED_ROWS = 1 << 17
_REFINING_SHARE = 16
_REFINING_ROWS = 200
"""Seeds are refined on a 16th of the points, where that is at least 200 a cluster."""


@dataclass(frozen=True)
class KMeansResult:
    """The best of several restarts.

    Attributes:
        centroids_KD: float32.
        labels_N: int32, the nearest of these centroids.
        inertia: Sum of squared distances to the nearest centroid, summed in float64.
        iterations: Iterations of the best restart over all points.
        restart_inertias: Inertia of every restart.
    """

    centroids_KD: np.ndarray
    labels_N: np.ndarray
    inertia: float
    iterations: int
    restart_inertias: tuple[float, ...]

    @property
    def non_empty(self) -> int:
        """Clusters with a member: fewer than K where fewer than K points are distinct."""
        return len(np.unique(self.labels_N))


def kmeans(
    x_ND: np.ndarray,
    k: int,
    *,
    restarts: int = 20,
    seed: int = 0,
    max_iter: int = 300,
    tolerance: float = 1e-4,
    threads: int | None = None,
    gpu: bool | Literal["auto"] = "auto",
    init_KD: np.ndarray | None = None,
) -> KMeansResult:
    """Cluster points by k-means and return the restart with the lowest inertia.

    Seeds are drawn by greedy k-means++ from all points, from 131,072 (or 50·k, if that is more)
    drawn at random where there are more. Where a 16th of the points is at least 200 a cluster,
    the iterations run to their end on such a sample first, then on all points, which halves the
    passes over all. Memory is about twice the points' (a centred copy).

    The same arguments give the same bits on the same machine and library versions for any number
    of threads; another processor, BLAS or a GPU rounds otherwise, and may end elsewhere where two
    restarts are nearly as good.

    Args:
        x_ND: Points, converted to float32 if they are not.
        k: Clusters, 1 ≤ k ≤ N.
        restarts: Independent seedings.
        seed: Seeds all random draws; restart r draws from (seed, r).
        max_iter: Most iterations a restart.
        tolerance: A restart ends when the summed squared movement of its centroids falls to this
            share of the mean variance of a coordinate, or when no label changes.
        threads: CPU threads; torch's setting by default.
        gpu: Whether to compute on the GPU; "auto" where torch finds one.
        init_KD: Start from these centroids, in one restart, rather than from k-means++.

    Raises:
        ValueError: Points are not a finite (N, D) matrix, or k, restarts or init_KD do not fit.

    Source: Lloyd 1982; Arthur & Vassilvitskii 2007; refining on a sample: Bradley & Fayyad 1998.

    >>> result = kmeans(np.array([[0.0], [1.0], [10.0], [11.0]]), 2, gpu=False)
    >>> sorted(result.centroids_KD[:, 0].tolist()), result.inertia
    ([0.5, 10.5], 1.0)
    """
    _check(x_ND, k, restarts, max_iter, init_KD)
    device = _device(gpu)
    x = torch.from_numpy(np.ascontiguousarray(x_ND, dtype=np.float32)).to(device)
    n, d = x.shape
    chunk = _chunk_rows(n, d, k, device)
    generators = [np.random.default_rng([seed, r]) for r in range(restarts)]
    with ChunkPool(threads if device.type == "cpu" else 1) as pool:
        x, x_sq, mean_D = _centred(x, pool, row_chunks(n, chunk))
        variance = float(x_sq.mean(dtype=torch.float64)) / d
        if init_KD is not None:
            seeds = torch.from_numpy(np.ascontiguousarray(init_KD, dtype=np.float32))
            seeds_RKD = (seeds.to(device) - mean_D)[None]
        else:
            rows = torch.from_numpy(sample_indices(n, max(_SEED_ROWS, 50 * k), seed)).to(device)
            some, some_sq = (x, x_sq) if len(rows) == n else (x[rows], x_sq[rows])
            seeds_RKD = kmeans_plus_plus(some, some_sq, k, generators, pool=pool, chunk=chunk)
            del some, some_sq
            if n // _REFINING_SHARE >= _REFINING_ROWS * k:
                rows = torch.from_numpy(sample_indices(n, n // _REFINING_SHARE, seed + 1))
                some = x[rows.to(device)]
                some_sq = x_sq[rows.to(device)]
                refined = _restarts(
                    some, some_sq, seeds_RKD, tolerance * variance, max_iter, pool, chunk
                )
                seeds_RKD = torch.stack([result.centroids_KD for result in refined])
        results = _restarts(x, x_sq, seeds_RKD, tolerance * variance, max_iter, pool, chunk)
        inertias: list[float] = []
        best: LloydResult | None = None
        for result in results:
            inertias.append(result.inertia)
            if best is None or result.inertia < best.inertia:
                best = result
    assert best is not None
    return KMeansResult(
        centroids_KD=(best.centroids_KD + mean_D).cpu().numpy(),
        labels_N=best.labels_N.to(torch.int32).cpu().numpy(),
        inertia=best.inertia,
        iterations=best.iterations,
        restart_inertias=tuple(inertias),
    )


def _restarts(
    x_ND: torch.Tensor,
    x_sq_N: torch.Tensor,
    seeds_RKD: torch.Tensor,
    tolerance: float,
    max_iter: int,
    pool: ChunkPool,
    chunk: int,
) -> Iterator[LloydResult]:
    """Iterate every restart: side by side where points are few, else each on all threads."""
    side_by_side = x_ND.numel() <= _SMALL and not x_ND.is_cuda
    alone = ChunkPool(1)

    def iterate(bounds: tuple[int, int]) -> LloydResult:
        return lloyd(
            x_ND,
            x_sq_N,
            seeds_RKD[bounds[0]],
            tolerance=tolerance,
            max_iter=max_iter,
            pool=alone if side_by_side else pool,
            chunk=chunk,
        )

    each = row_chunks(len(seeds_RKD), 1)
    return pool.map(iterate, each) if side_by_side else map(iterate, each)


def sample_indices(n: int, limit: int, seed: int) -> np.ndarray:
    """Draw at most `limit` of n row numbers without replacement, ascending, int64.

    >>> sample_indices(4, 10, seed=0).tolist()
    [0, 1, 2, 3]
    >>> len(sample_indices(1000, 10, seed=0))
    10
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    if n <= limit:
        return np.arange(n)
    drawn = np.random.default_rng([seed, n]).choice(n, size=limit, replace=False, shuffle=False)
    return np.sort(drawn)


def _device(gpu: bool | str) -> torch.device:
    if gpu not in (True, False, "auto"):
        raise ValueError(f"gpu must be True, False or 'auto', got {gpu!r}")
    available = torch.cuda.is_available()
    if gpu is True and not available:
        raise ValueError("gpu=True, but torch finds no GPU; pass gpu=False or 'auto'")
    return torch.device("cuda" if gpu and available else "cpu")


def _check(
    x_ND: np.ndarray, k: int, restarts: int, max_iter: int, init_KD: np.ndarray | None
) -> None:
    if x_ND.ndim != 2 or 0 in x_ND.shape:
        raise ValueError(f"x_ND must be a matrix of points and coordinates, got {x_ND.shape}")
    n, d = x_ND.shape
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if n < k:
        raise ValueError(f"k is {k}, but there are only {n} points: ask for k <= {n}")
    if restarts < 1 or max_iter < 1:
        raise ValueError(f"restarts and max_iter must be >= 1, got {restarts} and {max_iter}")
    if init_KD is not None and init_KD.shape != (k, d):
        raise ValueError(f"init_KD must have shape {(k, d)}, got {init_KD.shape}")


def _chunk_rows(n: int, d: int, k: int, device: torch.device) -> int:
    """Rows of a unit of work: on a CPU points and scores fit its cache, a GPU wants them large."""
    numbers = 1 << 28 if device.type == "cuda" else 1 << 20
    most = n if device.type == "cuda" else 16384
    return max(256, min(numbers // d, 4 * numbers // k, most))


def _centred(
    x_ND: torch.Tensor, pool: ChunkPool, chunks: list[tuple[int, int]]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return a copy of the points about their mean, its squared norms, and the mean."""
    sums = pool.map(lambda bounds: x_ND[slice(*bounds)].sum(0, dtype=torch.float64), chunks)
    total_D = torch.zeros(x_ND.shape[1], dtype=torch.float64, device=x_ND.device)
    for part in sums:
        total_D += part
    mean_D = (total_D / len(x_ND)).float()
    centred_ND = torch.empty_like(x_ND)
    squared_N = torch.empty(len(x_ND), device=x_ND.device)

    def centre(bounds: tuple[int, int]) -> None:
        part = slice(*bounds)
        torch.sub(x_ND[part], mean_D, out=centred_ND[part])
        torch.sum(centred_ND[part].square(), 1, out=squared_N[part])

    for _ in pool.map(centre, chunks):
        pass
    if not bool(torch.isfinite(squared_N).all()):
        bad = (~torch.isfinite(x_ND.square().sum(1))).nonzero()[:, 0]
        first = f", the first of them row {int(bad[0])}" if len(bad) else ""
        raise ValueError(
            f"x_ND must be finite, but {len(bad)} rows hold NaN, infinity or values whose squares "
            f"overflow float32{first}: leave them out"
        )
    return centred_ND, squared_N, mean_D
