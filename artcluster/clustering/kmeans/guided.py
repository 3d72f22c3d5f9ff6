"""k-means in which groups of points move as one, and some groups stay apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from artcluster.clustering.chunks import ChunkPool, row_chunks
from artcluster.clustering.kmeans.kmeans import kmeans


class ContradictionError(ValueError):
    """Two rows that must be apart belong together by what else is known."""

    def __init__(self, rows: tuple[int, int]) -> None:
        super().__init__(f"rows {rows[0]} and {rows[1]} must be apart, but belong together")
        self.rows = rows


@dataclass(frozen=True)
class Constraints:
    """Groups of points that belong to one cluster each.

    Attributes:
        groups: Rows of each group, ascending; a point that must only be apart from others is a
            group of one.
        apart_GG: bool, symmetric: groups that must not share a cluster.
    """

    groups: tuple[np.ndarray, ...]
    apart_GG: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """All constrained rows, ascending."""
        return np.sort(np.concatenate(self.groups)) if self.groups else np.empty(0, np.int64)


def constraints(
    labels: Mapping[int, str],
    must: Iterable[tuple[int, int]] = (),
    cannot: Iterable[tuple[int, int]] = (),
) -> Constraints:
    """Gather labels and pairs into groups, with all that follows from them.

    Points of one label belong together, those of two labels do not. If a must be with b and b with
    c, then a is with c; and if c must not be with d, none of them is.

    Args:
        labels: Row → label.
        must: Pairs of rows that belong together.
        cannot: Pairs of rows that do not.

    Raises:
        ContradictionError: They contradict one another.

    >>> found = constraints({0: "a", 1: "b", 2: "a"}, must=[(2, 5)], cannot=[(1, 7)])
    >>> [rows.tolist() for rows in found.groups]
    [[0, 2, 5], [1], [7]]
    >>> found.apart_GG.astype(int).tolist()
    [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """
    must, cannot = list(must), list(cannot)
    parent: dict[int, int] = {}

    def find(row: int) -> int:
        parent.setdefault(row, row)
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[str, int] = {}
    for row, label in labels.items():
        parent[find(row)] = find(first.setdefault(label, row))
    for one, other in must:
        parent[find(one)] = find(other)
    for pair in cannot:
        for row in pair:
            find(row)
    members: dict[int, list[int]] = {}
    for row in sorted(parent):
        members.setdefault(find(row), []).append(row)
    place = {root: group for group, root in enumerate(members)}
    apart_GG = np.zeros((len(place), len(place)), dtype=bool)
    names = list(first.values())
    for one, other in [*cannot, *((a, b) for a in names for b in names if a < b)]:
        a, b = place[find(one)], place[find(other)]
        if a == b:
            raise ContradictionError((one, other))
        apart_GG[a, b] = apart_GG[b, a] = True
    return Constraints(tuple(np.array(rows) for rows in members.values()), apart_GG)


def relevant_components(z_ND: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Return the map C^-½ of the covariance within groups, float64 (D, D).

    Directions in which points that belong together differ are shrunk, so that distances say what
    sets groups apart. Few points know the covariance badly: it is shrunk to a multiple of the
    identity by as much as they are few. The map has the determinant one.

    Args:
        z_ND: Points.
        groups: Rows that belong together; groups of one say nothing.

    Source: Bar-Hillel et al. 2003; Ledoit & Wolf 2004.

    >>> z = np.array([[0, 0], [4, 1], [0, 5], [4, 6], [2, 9], [0, 8.0]])
    >>> across, along = np.diag(relevant_components(z, [np.arange(2), np.arange(2, 4)]))
    >>> bool(across < along)
    True
    """
    from sklearn.covariance import ledoit_wolf

    within = [z_ND[rows] - z_ND[rows].mean(0) for rows in groups if len(rows) > 1]
    dim = z_ND.shape[1]
    if not within:
        return np.eye(dim)
    offsets = np.concatenate(within).astype(np.float64)
    covariance_DD, _ = ledoit_wolf(offsets, assume_centered=True)
    variance_D, axes_DD = np.linalg.eigh(covariance_DD)
    if variance_D[-1] <= 0:
        return np.eye(dim)
    scale_D = 1 / np.sqrt(np.maximum(variance_D, 1e-6 * variance_D[-1]))
    scale_D /= np.exp(np.log(scale_D).mean())
    return np.asarray((axes_DD * scale_D) @ axes_DD.T)


_ROWS = 8192


@dataclass(frozen=True)
class ConstrainedResult:
    """The best of several restarts.

    Attributes:
        centroids_KD: float32.
        labels_N: int64; those of constrained points obey the constraints as far as they can.
        inertia: Sum of squared distances to the centroid of the own cluster.
        iterations: Of the best restart.
        broken: Pairs of groups that share a cluster though they must be apart.
    """

    centroids_KD: np.ndarray
    labels_N: np.ndarray
    inertia: float
    iterations: int
    broken: int


def constrained_kmeans(
    z_ND: np.ndarray,
    k: int,
    given: Constraints,
    *,
    restarts: int = 20,
    seed: int = 0,
    max_iter: int = 100,
) -> ConstrainedResult:
    """Cluster points by k-means under constraints.

    Groups that must be apart from one another give the first centroids, the largest group first;
    the rest come from k-means among the points, the farthest from those first. In each iteration
    a free point goes to its nearest centroid, and a group to the one that is nearest to all of it
    among those with the fewest groups that it must be apart from: with more such groups than
    clusters some constraint is broken, and counted.

    Args:
        z_ND: Points, float32.
        k: Clusters, 1 ≤ k ≤ N.
        given: Constraints on their rows.
        restarts: Independent seedings; fewest broken constraints, then the least inertia wins.
        seed: Seeds them.
        max_iter: Most iterations a restart.

    Raises:
        ValueError: As `kmeans`.

    Source: Basu, Banerjee & Mooney 2002 (seeds that hold), 2004 (pairs); Wagstaff et al. 2001.

    >>> z = np.array([[0.0], [1.0], [2.0], [9.0]], np.float32)
    >>> from artcluster.clustering.kmeans.guided import constraints
    >>> found = constrained_kmeans(z, 2, constraints({0: "low", 2: "high"}), restarts=1)
    >>> bool(found.labels_N[0] != found.labels_N[2]), found.broken
    (True, 0)
    """
    best: ConstrainedResult | None = None
    for restart in range(restarts):
        draw = int(np.random.default_rng([seed, restart]).integers(2**31))
        found = _iterate(z_ND, _seeds(z_ND, k, given, draw), given, max_iter)
        if best is None or (found.broken, found.inertia) < (best.broken, best.inertia):
            best = found
    assert best is not None
    return best


def _seeds(z_ND: np.ndarray, k: int, given: Constraints, seed: int) -> np.ndarray:
    chosen: list[int] = []
    for group in sorted(range(len(given.groups)), key=lambda each: -len(given.groups[each])):
        if len(chosen) < k and given.apart_GG[group, chosen].all():
            chosen.append(group)
    centroids = kmeans(z_ND, k, restarts=1, seed=seed, gpu=False).centroids_KD
    if len(chosen) < 2:
        return centroids
    held = [z_ND[given.groups[group]].mean(0) for group in chosen]
    rest = list(centroids)
    while len(held) < k:
        distances = [min(float(((one - other) ** 2).sum()) for other in held) for one in rest]
        held.append(rest.pop(int(np.argmax(distances))))
    return np.stack(held)


def _iterate(
    z_ND: np.ndarray, centroids_KD: np.ndarray, given: Constraints, max_iter: int
) -> ConstrainedResult:
    centroids_KD = centroids_KD.astype(np.float64)
    k = len(centroids_KD)
    labels_N, broken = _assign(z_ND, centroids_KD, given)
    for iteration in range(1, max_iter + 1):  # noqa: B007
        sums_KD = np.zeros_like(centroids_KD)
        for a, b in row_chunks(len(z_ND), _ROWS):
            np.add.at(sums_KD, labels_N[a:b], z_ND[a:b])
        counts_K = np.bincount(labels_N, minlength=k)
        means_KD = sums_KD / np.maximum(counts_K, 1)[:, None]
        centroids_KD = np.where(counts_K[:, None] > 0, means_KD, centroids_KD)
        before_N = labels_N
        labels_N, broken = _assign(z_ND, centroids_KD, given)
        if np.array_equal(before_N, labels_N):
            break
    inertia = sum(
        float(((z_ND[a:b] - centroids_KD[labels_N[a:b]]) ** 2).sum())
        for a, b in row_chunks(len(z_ND), _ROWS)
    )
    return ConstrainedResult(centroids_KD.astype(np.float32), labels_N, inertia, iteration, broken)


def _assign(
    z_ND: np.ndarray, centroids_KD: np.ndarray, given: Constraints
) -> tuple[np.ndarray, int]:
    """Return the cluster of each point, and the constraints that are broken."""
    labels_N = _nearest(z_ND, centroids_KD)
    far_GK = (
        np.stack(
            [((z_ND[rows][:, None] - centroids_KD[None]) ** 2).sum((0, 2)) for rows in given.groups]
        )
        if given.groups
        else np.empty((0, len(centroids_KD)))
    )
    # Groups that have most to lose go first.
    ordered_GK = np.sort(far_GK, axis=1)
    loss_G = ordered_GK[:, 1] - ordered_GK[:, 0] if far_GK.shape[1] > 1 else ordered_GK[:, 0]
    cluster_G = np.full(len(far_GK), -1)
    broken = 0
    for group in np.argsort(-loss_G, kind="stable"):
        there = cluster_G[given.apart_GG[group] & (cluster_G >= 0)]
        conflicts_K = np.bincount(there, minlength=far_GK.shape[1])
        fewest = conflicts_K.min()
        broken += int(fewest)
        cluster_G[group] = np.where(conflicts_K == fewest, far_GK[group], np.inf).argmin()
        labels_N[given.groups[group]] = cluster_G[group]
    return labels_N, broken


def _nearest(z_ND: np.ndarray, centroids_KD: np.ndarray) -> np.ndarray:
    labels_N = np.empty(len(z_ND), dtype=np.int64)
    z, centroids = torch.from_numpy(z_ND), torch.from_numpy(centroids_KD).float()
    squared_K = centroids.square().sum(1)

    def one(bounds: tuple[int, int]) -> None:
        a, b = bounds
        labels_N[a:b] = torch.addmm(squared_K, z[a:b], centroids.T, alpha=-2).argmin(1).numpy()

    with ChunkPool() as pool:
        for _ in pool.map(one, row_chunks(len(z_ND), _ROWS)):
            pass
    return labels_N
