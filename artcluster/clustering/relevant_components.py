"""Relevant component analysis: a linear map that shrinks what varies within groups."""

from collections.abc import Sequence

import numpy as np


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
