"""The silhouette: how much nearer a point is to its own cluster than to the next one."""

import numpy as np
import torch
from torch import Tensor

from artcluster.clustering.chunks import ChunkPool, row_chunks
from artcluster.metrics.agreement import NOISE

_DISTANCES_AT_ONCE = 1 << 20


def silhouette(
    x_ND: np.ndarray,
    labels_N: np.ndarray,
    *,
    limit: int = 20_000,
    seed: int = 0,
    threads: int | None = None,
    device: torch.device | None = None,
) -> float:
    """Compute the mean silhouette, exactly up to `limit` points, else of a sample of that size.

    Distances are Euclidean. Noise (−1) takes no part; a cluster of one point counts as 0.

    Args:
        labels_N: Cluster of each point, −1 for noise.
        limit: Most points to compute exactly: the work grows with their square.
        threads: CPU threads; torch's setting by default.
        device: Where to compute; the CPU by default.

    Returns:
        −1 to 1; NaN for fewer than two clusters.

    Source: Rousseeuw 1987.

    >>> x = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> round(silhouette(x, np.array([0, 0, 1, 1])), 6)
    0.899749
    """
    rows = np.flatnonzero(labels_N != NOISE)
    if len(rows) > limit:
        if limit < 2:
            raise ValueError(f"limit must be at least 2, got {limit}")
        rows = np.sort(
            np.random.default_rng(seed).choice(rows, limit, replace=False, shuffle=False)
        )
    labels = labels_N[rows]
    if len(np.unique(labels)) < 2:
        return float("nan")
    return float(silhouette_samples(x_ND[rows], labels, threads=threads, device=device).mean())


def silhouette_samples(
    x_ND: np.ndarray,
    labels_N: np.ndarray,
    *,
    threads: int | None = None,
    device: torch.device | None = None,
) -> np.ndarray:
    """Compute every point's silhouette (b − a) / max(a, b).

    a is the mean distance to the other points of the own cluster, b the smallest mean distance
    to the points of another. Distances are computed a block of rows at a time and summed by
    cluster in a matrix product with one-hot labels: memory is bounded, and nothing is approximate.

    Args:
        labels_N: Cluster of each point, any integers, at least two of them distinct.
        threads: CPU threads; torch's setting by default. They do not change the result.
        device: Where to compute; the CPU by default.

    Returns:
        float64, −1 to 1 each; 0 for a cluster of one point, and where a and b are both 0.

    Raises:
        ValueError: Shapes do not fit, or there are fewer than two clusters.
    """
    if x_ND.ndim != 2 or labels_N.shape != x_ND.shape[:1]:
        raise ValueError(f"expected (n, d) points, n labels; got {x_ND.shape}, {labels_N.shape}")
    clusters, numbers, sizes = np.unique(labels_N, return_inverse=True, return_counts=True)
    k, n = len(clusters), len(labels_N)
    if k < 2:
        raise ValueError(f"a silhouette needs at least two clusters, got {k}")
    device = device or torch.device("cpu")
    x = torch.from_numpy(np.ascontiguousarray(x_ND, dtype=np.float32)).to(device)
    x = x - x.mean(0, dtype=torch.float64).float()
    x_sq = torch.linalg.vecdot(x, x)
    labels = torch.from_numpy(numbers.astype(np.int64)).to(device)
    one_hot = torch.zeros((n, k), device=device).scatter_(1, labels[:, None], 1.0)
    counts = torch.from_numpy(sizes).to(device, torch.float64)
    block = max(1, _DISTANCES_AT_ONCE // n)
    values = torch.empty(n, dtype=torch.float64, device=device)

    def compute(bounds: tuple[int, int]) -> None:
        part = slice(*bounds)
        sums = _distance_sums(x[part], x_sq[part], x, x_sq, one_hot, bounds[0])
        values[part] = _values(sums, labels[part], counts)

    with ChunkPool(threads if device.type == "cpu" else 1) as pool:
        for _ in pool.map(compute, row_chunks(n, block)):
            pass
    return values.cpu().numpy()


def _distance_sums(
    block: Tensor, block_sq: Tensor, x: Tensor, x_sq: Tensor, one_hot: Tensor, start: int
) -> Tensor:
    distances = torch.addmm(x_sq[None, :], block, x.T, alpha=-2).add_(block_sq[:, None])
    distances.clamp_(min=0).sqrt_()
    distances.diagonal(start).zero_()
    return (distances @ one_hot).double()


def _values(sums_BK: Tensor, labels_B: Tensor, counts_K: Tensor) -> Tensor:
    own = labels_B[:, None]
    others = counts_K[labels_B] - 1
    a = sums_BK.gather(1, own)[:, 0] / others.clamp(min=1)
    b = (sums_BK / counts_K).scatter_(1, own, float("inf")).amin(1)
    widest = torch.maximum(a, b)
    values = torch.where(widest > 0, (b - a) / widest, 0.0)
    return torch.where(others > 0, values, 0.0)
