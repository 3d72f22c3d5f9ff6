"""Lloyd's iterations from given seeds, passing over points that cannot have changed cluster."""

from dataclasses import dataclass

import torch
from torch import Tensor

from artcluster.clustering.chunks import ChunkPool, row_chunks
from artcluster.clustering.kmeans.lloyd_pass import (
    ROUNDING,
    Change,
    assign_afresh,
    assign_chunk,
    gap_closing,
    rows_where,
)

_SETTLED_SHARE = 0.03
"""Gaps are measured once fewer points than this share change in a pass."""

_SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
_CHOICE_COST = 0.7
"""What choosing candidates costs, in passes over all points."""

_SAMPLED_GAPS = 4096


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
    the centroids move little, the points with the least in hand are set apart, and the iterations
    look at those alone until the centroids have moved so far that another point might change. Sums
    are updated by the points that changed. An empty cluster is moved to the point farthest from
    its centroid; it stays empty only where fewer than K points are distinct.

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
        labels = torch.empty(n, dtype=torch.int64, device=device)
        gap = torch.zeros(n, device=device)
        self.all = _Points(x_ND, x_sq_N, labels, gap, row_chunks(n, chunk))
        self.centroids = seeds_KD.clone()
        self.centroids_sq = seeds_KD.square().sum(1)
        self.sums = torch.zeros((k, d), dtype=torch.float64, device=device)
        self.counts = torch.zeros(k, dtype=torch.int64, device=device)
        self.final = False

    def until_converged(self, tolerance: float, max_iter: int) -> int:
        points, changed = self.all, len(self.all.x)
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
            changed = self._assign(points, measured=measured, afresh=iteration == 1)
            relocated = False
            if bool((self.counts == 0).any()):
                self._rejoin(points)
                points, whole, measured = self.all, True, False
                relocated = self._fill_empty()
            drift_K = self._move()
            self.final = not changed and not relocated
            if self.final or (not relocated and float(drift_K.square().sum()) <= tolerance):
                break
            closing = gap_closing(drift_K)
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
        rows = rows_where(whole.gap <= allowance_K.index_select(0, whole.labels))
        apart = _Points(
            whole.x.index_select(0, rows),
            whole.x_sq.index_select(0, rows),
            whole.labels.index_select(0, rows),
            whole.gap.index_select(0, rows),
            row_chunks(len(rows), self.chunk),
            rows,
        )
        return apart, allowance_K * (1 - ROUNDING)

    def _assign(self, points: _Points, *, measured: bool, afresh: bool) -> int:
        """Assign the points to the centroids; return how many changed."""

        def assign(bounds: tuple[int, int]) -> Change | None:
            a, b = bounds
            x, x_sq, labels = points.x[a:b], points.x_sq[a:b], points.labels[a:b]
            gap = points.gap[a:b] if measured else None
            if afresh:
                return assign_afresh(x, labels, self.centroids, self.centroids_sq)
            return assign_chunk(x, x_sq, labels, self.centroids, self.centroids_sq, gap)

        changed = 0
        for change in self.pool.map(assign, points.chunks):
            if change is not None:
                clusters, sums, counts, moved = change
                self.sums.index_add_(0, clusters, sums.double())
                self.counts.index_add_(0, clusters, counts)
                changed += moved
        return changed

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
        floor = ROUNDING * float(points.x_sq.amax() + self.centroids_sq.amax())
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
            x, x_sq, labels = points.x[a:b], points.x_sq[a:b], points.labels[a:b]
            if not self.final:
                assign_chunk(x, x_sq, labels, self.centroids, self.centroids_sq, None)
            return float(self._own_distances(bounds).sum(dtype=torch.float64))

        inertia = sum(self.pool.map(finish, self.all.chunks))
        return LloydResult(self.centroids, self.all.labels, inertia, iterations)
