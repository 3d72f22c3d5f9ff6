"""A hierarchy of points: cells merged by Ward's rule into one, which can be cut at any k."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from artcluster.clustering.chunks import row_chunks
from artcluster.clustering.kmeans.kmeans import kmeans


@dataclass(frozen=True)
class Tree:
    """The order in which leaves were merged into one.

    Attributes:
        merges_M2: int64 (L − 1, 2), the two nodes of each merge, by rising height. Leaves are nodes
            0 … L−1, and merge m makes node L + m, as in SciPy's linkage.
        heights_M: float64, how far apart the two were.
        sizes_M: float64, the weight of the merged node.
    """

    merges_M2: np.ndarray
    heights_M: np.ndarray
    sizes_M: np.ndarray

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return len(self.heights_M) + 1


def agglomerate(
    distances_LL: np.ndarray, sizes_L: np.ndarray, linkage: Literal["average", "ward"]
) -> Tree:
    """Merge the nearest two until one is left.

    A leaf of size s counts as s points in one place, so that merging weighted groups gives what
    merging their points would, were the groups that tight. By a chain of nearest neighbours: the
    work is the square of the leaves, and memory a copy of the distances in float64.

    Args:
        distances_LL: Symmetric; Euclidean for `ward`. The diagonal is not read.
        sizes_L: Points in each leaf, above 0.
        linkage: How far apart two groups are: `average`, the mean distance of their points;
            `ward`, the square root of twice the growth of the inertia, as in SciPy.

    Raises:
        ValueError: Shapes do not fit, a number is not finite, or a size is not above 0.

    Source: Lance & Williams 1967; Müllner 2011, §3.2 (`NN-chain`).

    >>> far = np.array([[0.0, 1.0, 5.0], [1.0, 0.0, 7.0], [5.0, 7.0, 0.0]])
    >>> tree = agglomerate(far, np.ones(3), "average")
    >>> tree.merges_M2.tolist(), tree.heights_M.tolist(), tree.sizes_M.tolist()
    ([[0, 1], [2, 3]], [1.0, 6.0], [2.0, 3.0])
    """
    _check(distances_LL, sizes_L)
    leaves = len(sizes_L)
    size_L = sizes_L.astype(np.float64)
    far_LL = distances_LL.astype(np.float64)
    if linkage == "ward":
        far_LL **= 2
        far_LL *= 2 / (1 / size_L[:, None] + 1 / size_L[None, :])
    np.fill_diagonal(far_LL, np.inf)
    alive_L = np.ones(leaves, dtype=bool)
    found: list[tuple[int, int, float]] = []
    chain: list[int] = []
    while len(found) < leaves - 1:
        if not chain:
            chain.append(int(np.argmax(alive_L)))
        one = chain[-1]
        other = int(np.argmin(far_LL[one]))
        if len(chain) > 1 and far_LL[one, chain[-2]] <= far_LL[one, other]:
            other = chain[-2]
            del chain[-2:]
        else:
            chain.append(other)
            continue
        height = far_LL[one, other]
        found.append((one, other, float(height)))
        merged_L = _merged_distances(far_LL, size_L, one, other, linkage)
        alive_L[one] = False
        merged_L[~alive_L] = merged_L[other] = np.inf
        far_LL[other] = far_LL[:, other] = merged_L
        far_LL[one] = far_LL[:, one] = np.inf
        size_L[other] += size_L[one]
    return _in_order(found, sizes_L.astype(np.float64), squared=linkage == "ward")


def cut(tree: Tree, k: int) -> np.ndarray:
    """Return the group of each leaf once only k are left, int64 (L,).

    Groups are numbered by their first leaf. Cuts at two values of k are nested.

    Raises:
        ValueError: There are fewer leaves than groups asked for, or k is below 1.

    >>> tree = agglomerate(np.abs(np.subtract.outer([0, 9, 1], [0, 9, 1])), np.ones(3), "average")
    >>> cut(tree, 2).tolist()
    [0, 1, 0]
    """
    if not 1 <= k <= tree.leaves:
        raise ValueError(f"k must lie in 1 … {tree.leaves}, the number of leaves, got {k}")
    top = np.arange(2 * tree.leaves - 1)
    for merge in range(tree.leaves - 1 - k, -1, -1):
        top[tree.merges_M2[merge]] = top[tree.leaves + merge]
    _, first, group = np.unique(top[: tree.leaves], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[group])


def top_merges(tree: Tree, k: int) -> list[tuple[int, int, float]]:
    """Return how the k groups of `cut` merge into one: (group, group, height) by rising height.

    A merged group goes by the lower of its two numbers.

    >>> tree = agglomerate(np.abs(np.subtract.outer([0, 9, 1], [0, 9, 1])), np.ones(3), "average")
    >>> top_merges(tree, 2)
    [(0, 1, 8.5)]
    """
    groups_L = cut(tree, k)
    group_of = np.full(2 * tree.leaves - 1, -1)
    group_of[: tree.leaves] = groups_L
    found = []
    for merge, (one, other) in enumerate(tree.merges_M2):
        low, high = sorted((int(group_of[one]), int(group_of[other])))
        group_of[tree.leaves + merge] = low
        if low != high:
            found.append((low, high, float(tree.heights_M[merge])))
    return found


def _merged_distances(
    far_LL: np.ndarray, size_L: np.ndarray, one: int, other: int, linkage: str
) -> np.ndarray:
    """Return the distances of the union of two groups to all others (Lance & Williams)."""
    a, b = size_L[one], size_L[other]
    if linkage == "average":
        merged: np.ndarray = (a * far_LL[one] + b * far_LL[other]) / (a + b)
        return merged
    grown_L = (a + size_L) * far_LL[one] + (b + size_L) * far_LL[other]
    return np.asarray((grown_L - size_L * far_LL[one, other]) / (a + b + size_L))


def _in_order(found: list[tuple[int, int, float]], sizes_L: np.ndarray, *, squared: bool) -> Tree:
    """Sort merges by height, and name nodes as SciPy does."""
    leaves = len(sizes_L)
    order = sorted(range(len(found)), key=lambda merge: found[merge][2])
    parent = np.arange(2 * leaves - 1)
    size = np.concatenate([sizes_L, np.zeros(leaves - 1)])
    merges_M2 = np.empty((leaves - 1, 2), dtype=np.int64)
    for place, merge in enumerate(order):
        nodes = sorted(_root(parent, leaf) for leaf in found[merge][:2])
        merges_M2[place] = nodes
        parent[nodes] = leaves + place
        size[leaves + place] = size[nodes].sum()
    heights_M = np.array([found[merge][2] for merge in order], dtype=np.float64)
    if squared:
        heights_M = np.sqrt(np.maximum(heights_M, 0))
    return Tree(merges_M2, heights_M, size[leaves:])


def _root(parent: np.ndarray, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = int(parent[node])
    return node


def _check(distances_LL: np.ndarray, sizes_L: np.ndarray) -> None:
    leaves = len(sizes_L)
    if sizes_L.ndim != 1 or distances_LL.shape != (leaves, leaves) or not leaves:
        raise ValueError(
            f"expected a square matrix of distances and a size a leaf, got shapes "
            f"{distances_LL.shape} and {sizes_L.shape}"
        )
    if not np.isfinite(distances_LL).all() or not (np.isfinite(sizes_L) & (sizes_L > 0)).all():
        raise ValueError("distances must be finite and sizes finite and above 0")


_ITERATIONS = 20
"""Of k-means: cells need to be small, not optimal."""


@dataclass(frozen=True)
class Cells:
    """A cell for each point.

    Attributes:
        cells_N: The cell of each, 0 … L − 1, int64; none is empty.
        means_LD: Means of their points, float32.
        sizes_L: Points in each.
    """

    cells_N: np.ndarray
    means_LD: np.ndarray
    sizes_L: np.ndarray


def make_cells(z_ND: np.ndarray, limit: int, seed: int) -> Cells:
    """Return a cell a point up to `limit` points, and as many cells of k-means past it.

    Args:
        z_ND: Points, float32.
        limit: Most cells.
        seed: Seeds k-means.

    >>> make_cells(np.array([[0.0], [5.0]], np.float32), 2, 0).cells_N.tolist()
    [0, 1]
    """
    if len(z_ND) <= limit:
        return Cells(np.arange(len(z_ND)), z_ND, np.ones(len(z_ND), dtype=np.int64))
    found = kmeans(z_ND, limit, restarts=1, seed=seed, max_iter=_ITERATIONS, gpu="auto")
    # Where fewer points than cells are distinct, some are empty.
    held, cells_N = np.unique(found.labels_N, return_inverse=True)
    sizes_L = np.bincount(cells_N)
    return Cells(cells_N, found.centroids_KD[held], sizes_L)


def group_means(means_LD: np.ndarray, sizes_L: np.ndarray, groups_L: np.ndarray) -> np.ndarray:
    """Return the means of groups of cells, of all their points, float32 (K, D).

    >>> group_means(np.array([[0.0], [3.0], [8.0]]), np.array([2, 1, 1]), np.array([0, 0, 1]))
    array([[1.],
           [8.]], dtype=float32)
    """
    share_KL = np.zeros((int(groups_L.max()) + 1, len(groups_L)))
    share_KL[groups_L, np.arange(len(groups_L))] = sizes_L
    share_KL /= share_KL.sum(1, keepdims=True)
    return np.asarray(share_KL @ means_LD, np.float32)


_ROWS = 1024


@dataclass(frozen=True)
class Hierarchy:
    """Cells, and how they were merged.

    Attributes:
        means_LD: Means of the cells, float32.
        sizes_L: Points in each, int64.
        tree: The merges.
    """

    means_LD: np.ndarray
    sizes_L: np.ndarray
    tree: Tree

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what it is made of, by name."""
        return {
            "means": self.means_LD,
            "sizes": self.sizes_L,
            "merges": self.tree.merges_M2,
            "heights": self.tree.heights_M,
            "merged_sizes": self.tree.sizes_M,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Hierarchy":
        """Rebuild it from `arrays`."""
        tree = Tree(arrays["merges"], arrays["heights"], arrays["merged_sizes"])
        return cls(arrays["means"], arrays["sizes"], tree)


def ward_hierarchy(cells: Cells) -> Hierarchy:
    """Merge cells by Ward's rule, each counting as all of its points in one place.

    Source: Ward 1963; of small clusters, Zhang, Ramakrishnan & Livny 1996 (BIRCH, phase 3).

    >>> from artcluster.clustering.hierarchy import make_cells
    >>> found = ward_hierarchy(make_cells(np.array([[0.0], [9.0], [1.0]], np.float32), 3, 0))
    >>> found.tree.merges_M2.tolist()
    [[0, 2], [1, 3]]
    """
    distances_LL = _distances(cells.means_LD)
    tree = agglomerate(distances_LL, cells.sizes_L, "ward")
    return Hierarchy(cells.means_LD, cells.sizes_L, tree)


def _distances(points_LD: np.ndarray) -> np.ndarray:
    """Return Euclidean distances, float64 (L, L)."""
    points = points_LD.astype(np.float64)
    squared_L = np.einsum("ld,ld->l", points, points)
    distances_LL = np.empty((len(points), len(points)))
    for a, b in row_chunks(len(points), _ROWS):
        products = points[a:b] @ points.T
        distances_LL[a:b] = squared_L[a:b, None] + squared_L[None, :] - 2 * products
    return np.sqrt(np.maximum(distances_LL, 0, out=distances_LL), out=distances_LL)
