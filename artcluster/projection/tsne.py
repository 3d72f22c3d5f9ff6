"""t-SNE by openTSNE, and its transform, which places new points in an old map.

Source: van der Maaten & Hinton 2008; Linderman et al. 2019 (FIt-SNE); Poličar et al. 2024
(openTSNE), whose advice the settings follow: PCA initialisation, learning rate N / exaggeration,
exaggeration 12 in the early phase.
"""

import numpy as np
import openTSNE
from openTSNE.affinity import PerplexityBasedNN

from artcluster.projection.layout import Components, LayoutSettings, Placer

_FEWEST = 10
_EXAGGERATION = 12.0
_PLACING_PERPLEXITY = 5.0
_PLACING_ITERATIONS = 100


class Tsne:
    """Lays vectors out by t-SNE with Euclidean distances."""

    def __init__(self, settings: LayoutSettings) -> None:
        self._settings = settings

    def fit(self, x_ND: np.ndarray) -> np.ndarray:
        """Lay vectors out; fewer than ten are laid out by their first two components."""
        if len(x_ND) < _FEWEST:
            return _by_components(x_ND)
        settings = self._settings
        tsne = openTSNE.TSNE(
            perplexity=self._perplexity(len(x_ND)),
            early_exaggeration=_EXAGGERATION,
            early_exaggeration_iter=settings.early_iterations,
            n_iter=settings.iterations,
            initialization="pca",
            random_state=settings.seed,
            n_jobs=settings.threads,
        )
        return np.asarray(tsne.fit(np.asarray(x_ND, np.float64)), np.float64)

    def placer(self, x_ND: np.ndarray, y_N2: np.ndarray) -> Placer:
        """Return what places vectors near their neighbours among x, and moves nothing of y."""
        if len(x_ND) < _FEWEST:
            return _Nearest(x_ND, y_N2)
        affinities = PerplexityBasedNN(
            np.asarray(x_ND, np.float64),
            perplexity=self._perplexity(len(x_ND)),
            random_state=self._settings.seed,
            n_jobs=self._settings.threads,
        )
        fitted = openTSNE.TSNEEmbedding(
            np.array(y_N2, np.float64),
            affinities,
            random_state=self._settings.seed,
            n_jobs=self._settings.threads,
        )
        perplexity = min(_PLACING_PERPLEXITY, self._perplexity(len(x_ND)))

        def place(x_MD: np.ndarray) -> np.ndarray:
            partial = fitted.prepare_partial(
                np.asarray(x_MD, np.float64), initialization="median", perplexity=perplexity
            )
            partial.optimize(
                n_iter=_PLACING_ITERATIONS,
                learning_rate=0.1,
                exaggeration=1.5,
                momentum=0.8,
                max_grad_norm=0.25,
                inplace=True,
            )
            return np.asarray(partial, np.float64)

        return place

    def _perplexity(self, points: int) -> float:
        return min(self._settings.perplexity, (points - 1) / 3)


class _Nearest:
    """Places a vector where its nearest neighbour lies: for maps too small for t-SNE."""

    def __init__(self, x_ND: np.ndarray, y_N2: np.ndarray) -> None:
        self._x_ND = x_ND
        self._y_N2 = y_N2

    def __call__(self, x_MD: np.ndarray) -> np.ndarray:
        squares_MN = ((x_MD[:, None, :] - self._x_ND[None]) ** 2).sum(2)
        return np.asarray(self._y_N2[squares_MN.argmin(1)], np.float64)


def _by_components(x_ND: np.ndarray) -> np.ndarray:
    y_N2 = np.zeros((len(x_ND), 2))
    width = min(2, x_ND.shape[1], max(len(x_ND) - 1, 0))
    if width:
        centred = x_ND - x_ND.mean(0)
        axes = np.linalg.svd(centred.astype(np.float64), full_matrices=False)[2]
        y_N2[:, :width] = Components(np.zeros(x_ND.shape[1], np.float32), axes[:width])(centred)
    return y_N2
