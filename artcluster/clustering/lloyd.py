"""Lloyd's iterations from given seeds, passing over points that cannot have changed cluster."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from artcluster.clustering.row_chunks import ChunkPool, row_chunks

_ROWS_FIRST_FROM_DIM = 64
_SETTLED_SHARE = 0.03
"""Gaps are measured once fewer points than this share change in a pass."""
_SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
_CHOICE_COST = 0.7
"""What choosing candidates costs, in passes over all points."""
_SAMPLED_GAPS = 4096
_ROUNDING = 4 * torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class LloydResult:
    """Where the iterations ended.

    Attributes:
        centroids_KD: float32.
        labels_N: int64, the nearest of these centroids.
        inertia: Sum of squared distances to them, summed in float64.
        iterations: Iterations done.
    """

    centroids_KD: Tensor
    labels_N: Tensor
    inertia: float
    iterations: int


def lloyd(
    x_ND: Tensor,
    x_sq_N: Tensor,
    seeds_KD: Tensor,
    *,
    tolerance: float,
    max_iter: int,
    pool: ChunkPool,
    chunk: int,
) -> LloydResult:
    """Iterate k-means from seeds until it converges.

    The labels are those of plain Lloyd iterations, but for ties within float32's rounding. A
    pass over all points notes by how much each is nearer to its centroid than to any other. Once
    the centroids move little, the quarter of the points with the least in hand is set apart, and
    the iterations look at those alone until the centroids have moved so far that another point
    might change. Sums are updated by the points that changed. An empty cluster is moved to the
    point farthest from its centroid; it stays empty only where fewer than K points are distinct.

    Args:
        x_ND: Points, float32, best centred: rounding grows with their norms.
        x_sq_N: Their squared norms.
        seeds_KD: Centroids to start from, float32.
        tolerance: The iterations end when the centroids' summed squared movement is at most
            this, or when no label changes.
        max_iter: Most iterations.
        pool: Threads to work on.
        chunk: Rows a unit of work.

    Source: Lloyd 1982; the bounds follow Hamerly 2010.
    """
    state = _Lloyd(x_ND, x_sq_N, seeds_KD, pool, chunk)
    iterations = state.until_converged(tolerance, max_iter)
    return state.result(iterations)


@dataclass
class _Points:
    """Points that a pass looks at: all of them, or the candidates."""

    x: Tensor
    x_sq: Tensor
    labels: Tensor
    gap: Tensor
    chunks: list[tuple[int, int]]
    rows: Tensor | None = None


class _Lloyd:
    def __init__(
        self, x_ND: Tensor, x_sq_N: Tensor, seeds_KD: Tensor, pool: ChunkPool, chunk: int
    ) -> None:
        n, device = x_ND.shape[0], x_ND.device
        k, d = seeds_KD.shape
        self.pool, self.chunk, self.k = pool, chunk, k
        labels = torch.zeros(n, dtype=torch.int64, device=device)
        gap = torch.zeros(n, device=device)
        self.all = _Points(x_ND, x_sq_N, labels, gap, row_chunks(n, chunk))
        self.centroids = seeds_KD.clone()
        self.centroids_sq = seeds_KD.square().sum(1)
        # Every point starts in cluster 0, and leaves it in the first pass.
        self.sums = torch.zeros((k, d), dtype=torch.float64, device=device)
        self.sums[0] = x_ND.sum(0, dtype=torch.float64)
        self.counts = torch.zeros(k, dtype=torch.int64, device=device)
        self.counts[0] = n

    def until_converged(self, tolerance: float, max_iter: int) -> int:
        points, changed = self.all, self.all.x.shape[0]
        none = torch.zeros(self.k, device=self.counts.device)
        allowance = spent = closing = none
        iteration = 0
        while iteration < max_iter:
            iteration += 1
            whole = points is self.all
            if whole:
                measured = changed < _SETTLED_SHARE * len(points.x) and not points.x.is_cuda
            else:
                measured = bool((spent + 2 * closing > allowance).any())
            changed = self._assign(points, measured=measured)
            relocated = False
            if bool((self.counts == 0).any()):
                self._rejoin(points)
                points, whole, measured = self.all, True, False
                relocated = self._fill_empty()
            drift_K = self._move()
            if not relocated and (not changed or float(drift_K.square().sum()) <= tolerance):
                break
            closing = _closing(drift_K)
            spent = spent + closing
            if whole and not measured:
                continue
            if whole or bool((spent > allowance).any()):
                self._settle(points, closing, spent, measured)
                points, allowance = self._candidates(closing)
                spent = none
        self._rejoin(points)
        return iteration

    def _rejoin(self, points: "_Points") -> None:
        if points.rows is not None:
            self.all.labels.index_copy_(0, points.rows, points.labels)

    def _settle(
        self, points: "_Points", closing_K: Tensor, spent_K: Tensor, measured: bool
    ) -> None:
        """Bring every point's gap, or a lower bound of it, to the centroids as they are now."""
        if points.rows is None:
            self.all.gap.sub_(closing_K.index_select(0, points.labels))
            return
        self.all.gap.sub_(spent_K.index_select(0, self.all.labels))
        if measured:
            gap = points.gap - closing_K.index_select(0, points.labels)
        else:
            gap = torch.full_like(points.gap, -float("inf"))
        self.all.gap.index_copy_(0, points.rows, gap)
        self._rejoin(points)

    def _candidates(self, closing_K: Tensor) -> tuple["_Points", Tensor]:
        """Choose the points to look at next, and how far gaps may close before a new choice.

        The more points, the longer the choice holds: of some shares the cheapest is taken, the
        whole if none is cheaper.
        """
        whole = self.all
        stride = max(1, len(whole.x) // _SAMPLED_GAPS)
        sampled = whole.gap[::stride] / closing_K.index_select(0, whole.labels[::stride])
        sampled = sampled.sort().values
        best_cost, reach = 1.0, -1.0
        for share in _SHARES:
            movements = float(sampled[int(len(sampled) * share)])
            cost = share + _CHOICE_COST / (1 + movements)
            if movements >= 0 and cost < best_cost:
                best_cost, reach = cost, movements
        if reach < 0:
            return whole, torch.zeros_like(closing_K)
        allowance_K = closing_K * reach
        rows = _rows_where(whole.gap <= allowance_K.index_select(0, whole.labels))
        apart = _Points(
            whole.x.index_select(0, rows),
            whole.x_sq.index_select(0, rows),
            whole.labels.index_select(0, rows),
            whole.gap.index_select(0, rows),
            row_chunks(len(rows), self.chunk),
            rows,
        )
        return apart, allowance_K * (1 - _ROUNDING)

    def _assign(self, points: _Points, *, measured: bool) -> int:
        """Assign the points to the centroids; return how many changed."""

        def assign(bounds: tuple[int, int]) -> _Change | None:
            a, b = bounds
            gap = points.gap[a:b] if measured else None
            return self._assign_chunk(points.x[a:b], points.x_sq[a:b], points.labels[a:b], gap)

        changed = 0
        for change in self.pool.map(assign, points.chunks):
            if change is not None:
                clusters, sums, counts, moved = change
                self.sums.index_add_(0, clusters, sums.double())
                self.counts.index_add_(0, clusters, counts)
                changed += moved
        return changed

    def _assign_chunk(
        self, x: Tensor, x_sq: Tensor, labels: Tensor, gap: Tensor | None
    ) -> "_Change | None":
        scores_KN = _scores(x, self.centroids, self.centroids_sq)
        first = scores_KN.amin(0)
        own = scores_KN.gather(0, labels[None])[0]
        moved = _rows_where(own > first)
        change = None
        if moved.numel():
            new = _argmin(scores_KN.index_select(1, moved))
            old = labels.index_select(0, moved)
            change = _change(x.index_select(0, moved), new, old, self.k)
            labels.index_copy_(0, moved, new)
        if gap is not None:
            scores_KN.scatter_(0, labels[None], float("inf"))
            slack = (x_sq + self.centroids_sq.amax()).mul_(_ROUNDING)
            second = scores_KN.amin(0).add_(x_sq).sub_(slack).clamp_(min=0).sqrt_()
            torch.sub(second, first.add_(x_sq).add_(slack).clamp_(min=0).sqrt_(), out=gap)
        return change

    def _move(self) -> Tensor:
        """Move the centroids to their clusters' means; return how far each went, float64."""
        counts = self.counts[:, None]
        mean = (self.sums / counts.clamp(min=1)).float()
        mean = torch.where(counts > 0, mean, self.centroids)
        drift: Tensor = torch.linalg.vector_norm(mean.double() - self.centroids.double(), dim=1)
        self.centroids = mean
        self.centroids_sq = mean.square().sum(1)
        return drift

    def _fill_empty(self) -> bool:
        """Hand each empty cluster the point farthest from its centroid; True if any moved."""
        points = self.all
        empty: list[int] = (self.counts == 0).nonzero()[:, 0].tolist()
        distances = torch.cat(list(self.pool.map(self._own_distances, points.chunks)))
        floor = _ROUNDING * float(points.x_sq.amax() + self.centroids_sq.amax())
        farthest = distances.topk(min(len(empty) + self.k, distances.numel())).indices.tolist()
        relocated = False
        for row in farthest:
            old = int(points.labels[row])
            if not empty or float(distances[row]) <= floor:
                break
            if int(self.counts[old]) < 2:
                continue
            new = empty.pop()
            points.labels[row] = new
            point = points.x[row].double()
            self.sums[old] -= point
            self.sums[new] += point
            self.counts[old] -= 1
            self.counts[new] += 1
            relocated = True
        return relocated

    def _own_distances(self, bounds: tuple[int, int]) -> Tensor:
        a, b = bounds
        own = self.centroids.index_select(0, self.all.labels[a:b])
        squared: Tensor = (self.all.x[a:b] - own).square_().sum(1)
        return squared

    def result(self, iterations: int) -> LloydResult:
        """Assign all points to the last centroids, and sum their squared distances directly."""

        def finish(bounds: tuple[int, int]) -> float:
            a, b = bounds
            points = self.all
            self._assign_chunk(points.x[a:b], points.x_sq[a:b], points.labels[a:b], None)
            return float(self._own_distances(bounds).sum(dtype=torch.float64))

        inertia = sum(self.pool.map(finish, self.all.chunks))
        return LloydResult(self.centroids, self.all.labels, inertia, iterations)


_Change = tuple[Tensor, Tensor, Tensor, int]
"""(clusters touched, change of their sums, change of their counts, points moved)."""


def _scores(x_ND: Tensor, centroids_KD: Tensor, centroids_sq_K: Tensor) -> Tensor:
    """Return |c|² − 2 x·c, (K, N): the squared distance less the point's squared norm."""
    if x_ND.shape[1] >= _ROWS_FIRST_FROM_DIM:  # which order is faster differs with the width
        return torch.addmm(centroids_sq_K[None, :], x_ND, centroids_KD.T, alpha=-2).T
    return torch.addmm(centroids_sq_K[:, None], centroids_KD, x_ND.T, alpha=-2)


def _rows_where(mask: Tensor) -> Tensor:
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


def _change(x: Tensor, new: Tensor, old: Tensor, k: int) -> _Change:
    if 2 * len(new) > k:
        clusters = torch.arange(k, device=x.device)
    else:
        clusters, inverse = torch.unique(torch.cat([new, old]), return_inverse=True)
        new, old = inverse.split(len(new))
    size = len(clusters)
    counts = torch.bincount(new, minlength=size) - torch.bincount(old, minlength=size)
    # index_add_ on a GPU adds in no fixed order, and for narrow points a product is faster.
    if x.is_cuda or size * x.shape[1] <= 1024:
        signs = torch.zeros((size, len(new)), device=x.device)
        signs.scatter_(0, new[None], 1.0).scatter_(0, old[None], -1.0)
        return clusters, signs @ x, counts, len(new)
    sums = torch.zeros((size, x.shape[1]))
    sums.index_add_(0, new, x).index_add_(0, old, x, alpha=-1)
    return clusters, sums, counts, len(new)


def _closing(drift_K: Tensor) -> Tensor:
    """How far a movement may have closed the gap of each cluster's points.

    Its own centroid may have receded by its drift, another have approached by the widest drift
    among the others.
    """
    others = drift_K.amax().expand(len(drift_K)).clone()
    widest = int(drift_K.argmax())
    others[widest] = torch.cat(
        [drift_K[:widest], drift_K[widest + 1 :], drift_K.new_zeros(1)]
    ).amax()
    return (drift_K + others).float() * (1 + _ROUNDING)
