"""UMAP by umap-learn, the extra `umap`.

Source: McInnes, Healy & Melville 2018.
"""

from typing import Any

import numpy as np
from umap import UMAP

from artcluster.projection.layout import LayoutSettings, Placer


class Umap:
    """Lays vectors out by UMAP with Euclidean distances; seeded, hence on one thread."""

    def __init__(self, settings: LayoutSettings) -> None:
        self._settings = settings

    def fit(self, x_ND: np.ndarray) -> np.ndarray:
        """Lay vectors out."""
        found = self._umap(len(x_ND), self._settings.iterations, "pca").fit_transform(x_ND)
        return np.asarray(found, np.float64)

    def placer(self, x_ND: np.ndarray, y_N2: np.ndarray) -> Placer:
        """Return UMAP's transform over the finished map."""
        fitted = self._umap(len(x_ND), 0, np.asarray(y_N2, np.float32)).fit(x_ND)
        # UMAP scales what it starts from; the map is as it was written.
        fitted.embedding_ = np.asarray(y_N2, np.float32)
        fitted.n_epochs = self._settings.iterations

        def place(x_MD: np.ndarray) -> np.ndarray:
            return np.asarray(fitted.transform(x_MD), np.float64)

        return place

    def _umap(self, points: int, epochs: int, init: Any) -> UMAP:
        return UMAP(
            n_neighbors=min(self._settings.neighbours, points - 1),
            min_dist=self._settings.min_dist,
            n_epochs=epochs,
            init=init,
            random_state=self._settings.seed,
            n_jobs=1,
        )
