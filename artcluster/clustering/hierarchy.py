"""A hierarchy of points: cells merged by Ward's rule into one, which can be cut at any k."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from artcluster.clustering.agglomeration import Tree, agglomerate
from artcluster.clustering.cells import Cells
from artcluster.clustering.row_chunks import row_chunks

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

    >>> from artcluster.clustering.cells import make_cells
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
