"""The silhouette: how much nearer a point is to its own cluster than to the next one."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from artcluster.clustering.chunks import ChunkPool, row_chunks
from artcluster.metrics.agreement import NOISE

_DISTANCES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Silhouette:
    """A mean silhouette and what it was computed from.

    Attributes:
        value: Mean over points, −1 to 1; NaN for fewer than two clusters.
        points: Points it was computed from: all that are not noise, or the sample's size.
        sampled: Whether a sample was drawn.
        cluster_values: Mean of each cluster that has points.
    """

    value: float
    points: int
    sampled: bool
    cluster_values: dict[int, float]


def silhouette(
    x_ND: np.ndarray,
    labels_N: np.ndarray,
    *,
    limit: int = 20_000,
    seed: int = 0,
    threads: int | None = None,
    device: torch.device | None = None,
) -> Silhouette:
    """Compute the mean silhouette, exactly up to `limit` points, else of a sample of that size.

    Distances are Euclidean. Noise (−1) takes no part; a cluster of one point counts as 0.

    Args:
        x_ND: Points.
        labels_N: Cluster of each point, −1 for noise.
        limit: Most points to compute exactly: the work grows with their square.
        seed: Seeds the sample, which is drawn uniformly.
        threads: CPU threads; torch's setting by default.
        device: Where to compute; the CPU by default.

    Source: Rousseeuw 1987.

    >>> x = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> found = silhouette(x, np.array([0, 0, 1, 1]))
    >>> round(found.value, 6), found.points, found.sampled
    (0.899749, 4, False)
    """
    rows = np.flatnonzero(labels_N != NOISE)
    sampled = len(rows) > limit
    if sampled:
        if limit < 2:
            raise ValueError(f"limit must be at least 2, got {limit}")
        rows = np.sort(
            np.random.default_rng(seed).choice(rows, limit, replace=False, shuffle=False)
        )
    labels = labels_N[rows]
    clusters, numbers, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(clusters) < 2:
        return Silhouette(np.nan, len(rows), sampled, {})
    values = silhouette_samples(x_ND[rows], labels, threads=threads, device=device)
    means = np.bincount(numbers, weights=values) / sizes
    return Silhouette(
        float(values.mean()),
        len(rows),
        sampled,
        dict(zip(clusters.tolist(), means.tolist(), strict=True)),
    )


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
        x_ND: Points.
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
