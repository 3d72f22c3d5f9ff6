"""What every method of laying vectors out is given and gives, and the steps before it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


def stratified_sample(strata_N: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Choose rows so that every stratum has its share, and small ones at least a few.

    Args:
        size: Rows wanted; all of them where there are not more.

    Returns:
        int64 rows, ascending; more than `size` by the few that small strata have at least, and
        by rounding.

    >>> stratified_sample(np.array([0] * 90 + [1] * 10), 50, seed=0).size
    50
    """
    if len(strata_N) <= size:
        return np.arange(len(strata_N))
    generator = np.random.default_rng(seed)
    strata, counts = np.unique(strata_N, return_counts=True)
    least = min(5, size // len(strata))
    share = np.maximum(np.round(counts * (size / len(strata_N))).astype(np.int64), least)
    chosen = [
        generator.choice(np.flatnonzero(strata_N == stratum), min(wanted, count), replace=False)
        for stratum, wanted, count in zip(strata, share, counts, strict=True)
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


@dataclass(frozen=True)
class Components:
    """A linear map to the leading principal components.

    Attributes:
        mean_D: float32; subtracted first.
        axes_CD: float32; orthonormal rows. Empty where the vectors are taken as they are.
    """

    mean_D: np.ndarray
    axes_CD: np.ndarray

    @classmethod
    def fit(cls, x_ND: np.ndarray, dim: int, seed: int) -> "Components":
        """Find the leading components; none are needed where vectors are as short as `dim`."""
        width = x_ND.shape[1]
        if width <= dim or len(x_ND) <= dim:
            return cls(np.zeros(width, np.float32), np.empty((0, width), np.float32))
        from sklearn.decomposition import PCA

        found = PCA(dim, svd_solver="randomized", random_state=seed).fit(x_ND)
        return cls(found.mean_.astype(np.float32), found.components_.astype(np.float32))

    def __call__(self, x_ND: np.ndarray) -> np.ndarray:
        """Return the components (or the vectors, where there are none) in float32."""
        if not len(self.axes_CD):
            return np.ascontiguousarray(x_ND, np.float32)
        return np.asarray((x_ND - self.mean_D) @ self.axes_CD.T, np.float32)


@dataclass(frozen=True)
class LayoutSettings:
    """How a map is made: all that decides it, besides the vectors.

    Attributes:
        perplexity: t-SNE's; capped at a third of the points.
        early_iterations: t-SNE's iterations with early exaggeration.
        iterations: t-SNE's iterations after them; UMAP's epochs.
        neighbours: UMAP's neighbours.
        min_dist: UMAP's least distance of points.
        threads: CPU threads; sums in another order differ in their last bits.
    """

    perplexity: float
    early_iterations: int
    iterations: int
    neighbours: int
    min_dist: float
    seed: int
    threads: int = 1


class Layout(Protocol):
    """A method: lays a sample out, then places further vectors among it."""

    def fit(self, x_ND: np.ndarray) -> np.ndarray:
        """Lay vectors out; float64 (N, 2)."""
        ...

    def placer(self, x_ND: np.ndarray, y_N2: np.ndarray) -> "Placer":
        """Return what places further vectors in a map that `fit` made, which stays as it is."""
        ...


class Placer(Protocol):
    """Places vectors in a finished map."""

    def __call__(self, x_MD: np.ndarray) -> np.ndarray:
        """Return float64 (M, 2); each row depends on its own vector and the map alone."""
        ...
