"""k-means++ seeds: points drawn with probability proportional to their squared distance."""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from artcluster.clustering.chunks import ChunkPool, row_chunks

_DISTANCES_AT_ONCE = 1 << 26


def kmeans_plus_plus(
    x_ND: Tensor,
    x_sq_N: Tensor,
    k: int,
    generators: Sequence[np.random.Generator],
    *,
    pool: ChunkPool,
    chunk: int,
) -> Tensor:
    """Draw k distinct-as-possible points for each of R restarts, by greedy k-means++.

    Each step draws 2 + ⌊ln k⌋ candidates by squared distance to the seeds so far and keeps the
    one that lowers the total most. Restarts share every pass over the data.

    Args:
        x_ND: Points, float32, N ≥ k.
        x_sq_N: Their squared norms.
        k: Seeds a restart.
        generators: One random generator a restart.
        pool: Threads to work on.
        chunk: Rows a unit of work.

    Returns:
        Seeds, (R, k, D) float32. Where fewer than k points are distinct, seeds repeat.

    Source: Arthur & Vassilvitskii 2007, §2.2 and, for the greedy choice, its §5 and scikit-learn.
    """
    n = x_ND.shape[0]
    candidates = 2 + int(math.log(k))
    group = max(1, _DISTANCES_AT_ONCE // (n * candidates))
    return torch.cat(
        [
            _seed_group(x_ND, x_sq_N, k, generators[start : start + group], candidates, pool, chunk)
            for start in range(0, len(generators), group)
        ]
    )


def _seed_group(
    x_ND: Tensor,
    x_sq_N: Tensor,
    k: int,
    generators: Sequence[np.random.Generator],
    candidates: int,
    pool: ChunkPool,
    chunk: int,
) -> Tensor:
    n, d = x_ND.shape
    restarts, device = len(generators), x_ND.device
    chunks = row_chunks(n, chunk)
    seeds_RKD = torch.empty((restarts, k, d), device=device)
    closest_RN = torch.full((restarts, n), float("inf"), device=device)
    every = torch.arange(restarts, device=device)
    for step in range(k):
        # The first seed has no distances to go by: one candidate, drawn uniformly.
        width = candidates if step else 1
        chosen_RC = _draw(closest_RN if step else None, n, width, generators).to(device)
        points = x_ND[chosen_RC.flatten()]
        points_sq = x_sq_N[chosen_RC.flatten()]
        lowered_RCN = torch.empty((restarts, width, n), device=device)

        lower = partial(_lower, x_ND, x_sq_N, points, points_sq, closest_RN, lowered_RCN)
        totals_RC = torch.zeros((restarts, width), dtype=torch.float64, device=device)
        for part in pool.map(lower, chunks):
            totals_RC += part
        best_R = totals_RC.argmin(1)
        closest_RN = lowered_RCN[every, best_R]
        seeds_RKD[:, step] = x_ND[chosen_RC[every, best_R]]
    return seeds_RKD


def _lower(
    x_ND: Tensor,
    x_sq_N: Tensor,
    points: Tensor,
    points_sq: Tensor,
    closest_RN: Tensor,
    lowered_RCN: Tensor,
    bounds: tuple[int, int],
) -> Tensor:
    """Write what the closest distances would become with each candidate; return their sums."""
    a, b = bounds
    distances = torch.addmm(points_sq[None, :], x_ND[a:b], points.T, alpha=-2)
    distances.add_(x_sq_N[a:b, None]).clamp_(min=0)
    out = lowered_RCN[:, :, a:b]
    candidates = distances.T.view(len(closest_RN), -1, b - a)
    torch.minimum(candidates, closest_RN[:, None, a:b], out=out)
    return out.sum(2, dtype=torch.float64)


def _draw(
    closest_RN: Tensor | None, n: int, width: int, generators: Sequence[np.random.Generator]
) -> Tensor:
    """Draw `width` row numbers a restart, by squared distance, uniformly where all are zero."""
    drawn = torch.empty((len(generators), width), dtype=torch.int64)
    for restart, generator in enumerate(generators):
        uniform = torch.from_numpy(generator.random(width))
        row = (uniform * n).long()
        if closest_RN is not None:
            cumulated = closest_RN[restart].cumsum(0, dtype=torch.float64)
            total = cumulated[-1]
            if total > 0:
                target = uniform.to(cumulated.device) * total
                row = torch.searchsorted(cumulated, target, right=True).cpu()
        drawn[restart] = row.clamp_(max=n - 1)
    return drawn
