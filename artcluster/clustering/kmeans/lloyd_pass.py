"""One pass of k-means over a chunk of points: who changes cluster, and by how much each is safe."""

import numpy as np
import torch
from torch import Tensor

ROUNDING = 4 * torch.finfo(torch.float32).eps
"""Bound of a squared distance's error, relative to the squared norms it is made from."""


_ROWS_FIRST_FROM_DIM = 64


Change = tuple[Tensor, Tensor, Tensor, int]
"""(clusters touched, change of their sums, change of their counts, points moved)."""


def assign_afresh(
    x_ND: Tensor, labels_N: Tensor, centroids_KD: Tensor, centroids_sq_K: Tensor
) -> Change:
    """Assign points that have no cluster yet; labels are overwritten."""
    k = len(centroids_KD)
    labels_N.copy_(_argmin(_scores(x_ND, centroids_KD, centroids_sq_K)))
    clusters = torch.arange(k, device=x_ND.device)
    sums = _cluster_sums(x_ND, labels_N, None, k)
    return clusters, sums, torch.bincount(labels_N, minlength=k), len(x_ND)


def assign_chunk(
    x_ND: Tensor,
    x_sq_N: Tensor,
    labels_N: Tensor,
    centroids_KD: Tensor,
    centroids_sq_K: Tensor,
    gap_N: Tensor | None,
) -> Change | None:
    """Bring labels up to date with the centroids, in place.

    A point keeps its cluster where another is only as near.

    Args:
        x_ND: Points.
        x_sq_N: Their squared norms.
        labels_N: Their clusters so far, int64; overwritten.
        centroids_KD: Centroids.
        centroids_sq_K: Their squared norms.
        gap_N: Where given, overwritten by a lower bound of how much nearer each point is to its
            centroid than to any other.

    Returns:
        What changed, None if nothing did.
    """
    scores_KN = _scores(x_ND, centroids_KD, centroids_sq_K)
    first = scores_KN.amin(0)
    own = scores_KN.gather(0, labels_N[None])[0]
    moved = rows_where(own > first)
    change = None
    if moved.numel():
        new = _argmin(scores_KN.index_select(1, moved))
        old = labels_N.index_select(0, moved)
        change = _change(x_ND.index_select(0, moved), new, old, len(centroids_KD))
        labels_N.index_copy_(0, moved, new)
    if gap_N is not None:
        scores_KN.scatter_(0, labels_N[None], float("inf"))
        slack = (x_sq_N + centroids_sq_K.amax()).mul_(ROUNDING)
        second = scores_KN.amin(0).add_(x_sq_N).sub_(slack).clamp_(min=0).sqrt_()
        first = first.add_(x_sq_N).add_(slack).clamp_(min=0).sqrt_()
        torch.sub(second, first, out=gap_N)
    return change


def _scores(x_ND: Tensor, centroids_KD: Tensor, centroids_sq_K: Tensor) -> Tensor:
    """Return |c|² − 2 x·c, (K, N): the squared distance less the point's squared norm."""
    if x_ND.shape[1] >= _ROWS_FIRST_FROM_DIM:  # which order is faster differs with the width
        return torch.addmm(centroids_sq_K[None, :], x_ND, centroids_KD.T, alpha=-2).T
    return torch.addmm(centroids_sq_K[:, None], centroids_KD, x_ND.T, alpha=-2)


def rows_where(mask: Tensor) -> Tensor:
    """Return the row numbers at which a mask is true, int64."""
    if mask.is_cuda:
        return mask.nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(mask.numpy()))  # several times faster than nonzero


def _argmin(scores_KN: Tensor) -> Tensor:
    """Number of the lowest score, the lowest number among equals."""
    k, n = scores_KN.shape
    if scores_KN.is_cuda or k > 32 or n < 256:
        return scores_KN.argmin(0)
    lowest = scores_KN.amin(0)  # vectorised by torch, as argmin is not
    labels = torch.zeros(n, dtype=torch.int64)
    for number in range(k - 1, -1, -1):
        labels.masked_fill_(scores_KN[number] == lowest, number)
    return labels


def _change(x: Tensor, new: Tensor, old: Tensor, k: int) -> Change:
    if 2 * len(new) > k:
        clusters = torch.arange(k, device=x.device)
    else:
        clusters, inverse = torch.unique(torch.cat([new, old]), return_inverse=True)
        new, old = inverse.split(len(new))
    size = len(clusters)
    counts = torch.bincount(new, minlength=size) - torch.bincount(old, minlength=size)
    return clusters, _cluster_sums(x, new, old, size), counts, len(new)


def _cluster_sums(x: Tensor, new: Tensor, old: Tensor | None, size: int) -> Tensor:
    """Sum points by their new cluster, less the sums by their old one, if any."""
    # index_add_ on a GPU adds in no fixed order, and for narrow points a product is faster.
    if x.is_cuda or size * x.shape[1] <= 1024:
        signs = torch.zeros((size, len(new)), device=x.device).scatter_(0, new[None], 1.0)
        if old is not None:
            signs.scatter_(0, old[None], -1.0)
        return signs @ x
    sums = torch.zeros((size, x.shape[1])).index_add_(0, new, x)
    return sums if old is None else sums.index_add_(0, old, x, alpha=-1)


def gap_closing(drift_K: Tensor) -> Tensor:
    """How far a movement may have closed the gap of each cluster's points.

    Its own centroid may have receded by its drift, another have approached by the widest drift
    among the others.
    """
    others = drift_K.amax().expand(len(drift_K)).clone()
    widest = int(drift_K.argmax())
    others[widest] = torch.cat(
        [drift_K[:widest], drift_K[widest + 1 :], drift_K.new_zeros(1)]
    ).amax()
    return (drift_K + others).float() * (1 + ROUNDING)
