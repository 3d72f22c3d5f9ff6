"""What every embedder checks of the arrays it takes and gives."""

import numpy as np

from artcluster.errors import ArtclusterError


def check_pixels(pixels: np.ndarray, input_px: tuple[int, int]) -> None:
    """Check that pixels are uint8 (N, H, W, 3) of the embedder's size.

    Raises:
        ValueError: They are not.
    """
    expected = (*input_px, 3)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != expected:
        raise ValueError(
            f"pixels must be uint8 of shape (N, {input_px[0]}, {input_px[1]}, 3), "
            f"got {pixels.dtype} of shape {pixels.shape}: resize to the embedder's input_px"
        )


def check_finite(vectors: np.ndarray, name: str) -> None:
    """Check that every number of the vectors is finite.

    Raises:
        ArtclusterError: One is not: the weights are broken, for uint8 pixels cannot be.
    """
    bad = int((~np.isfinite(vectors)).any(axis=1).sum())
    if bad:
        raise ArtclusterError(
            f"{name} gave {bad} of {len(vectors)} vectors with NaN or infinite numbers; "
            "its weights are broken or do not belong to this network"
        )


def cosine_distance(a_ND: np.ndarray, b_ND: np.ndarray) -> np.ndarray:
    """Return 1 − cosine of each pair of rows, (N,) float64; two zero rows are at distance 0.

    >>> cosine_distance(np.array([[1.0, 0], [0, 0]]), np.array([[0.0, 2], [0, 0]]))
    array([1., 0.])
    """
    a, b = a_ND.astype(np.float64), b_ND.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    same = (a == b).all(axis=1)
    cosine = (a * b).sum(axis=1) / np.where(norms == 0, 1.0, norms)
    distance: np.ndarray = np.where(same, 0.0, 1.0 - cosine)
    return distance
