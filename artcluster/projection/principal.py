"""Principal components: what long vectors are brought to before they are laid out."""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA


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
        found = PCA(dim, svd_solver="randomized", random_state=seed).fit(x_ND)
        return cls(found.mean_.astype(np.float32), found.components_.astype(np.float32))

    def __call__(self, x_ND: np.ndarray) -> np.ndarray:
        """Return the components (or the vectors, where there are none) in float32."""
        if not len(self.axes_CD):
            return np.ascontiguousarray(x_ND, np.float32)
        return np.asarray((x_ND - self.mean_D) @ self.axes_CD.T, np.float32)
