"""What every embedder offers."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from artcluster.embedders.contract import Contract
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


BINS = 8
"""Bins a channel; the vector has BINS³ numbers."""


def color_histogram(image_HW3: np.ndarray) -> np.ndarray:
    """Return the square roots of the shares of pixels in each of 8 × 8 × 8 colours.

    The square root makes the vector one of unit length, and Euclidean distance that of Hellinger;
    squared, it is the L1-normalised histogram again.

    Args:
        image_HW3: uint8 RGB.

    Returns:
        float32 (512,), index 64·r + 8·g + b with r, g, b = value // 32.

    >>> red = np.zeros((2, 2, 3), np.uint8); red[..., 0] = 255
    >>> color_histogram(red).nonzero()[0], color_histogram(red).max()
    (array([448]), np.float32(1.0))
    """
    shift = 8 - BINS.bit_length() + 1
    binned = (image_HW3 >> shift).astype(np.int16).reshape(-1, 3)
    index = (binned[:, 0] * BINS + binned[:, 1]) * BINS + binned[:, 2]
    counts = np.bincount(index, minlength=BINS**3)
    vector: np.ndarray = np.sqrt(counts / len(index)).astype(np.float32)
    return vector


class HistogramEmbedder:
    """`color_histogram` of every image; the same on every machine."""

    def __init__(self, contract: Contract) -> None:
        self.dim = contract.dim
        self.input_px = contract.input_px
        self.engine: Mapping[str, str] = {"engine": "numpy", "numpy": np.__version__}

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Map uint8 (N, H, W, 3) to float32 (N, 512)."""
        check_pixels(pixels, self.input_px)
        vectors = np.empty((len(pixels), self.dim), np.float32)
        for row, image in zip(vectors, pixels, strict=True):
            row[:] = color_histogram(image)
        return vectors


class Embedder(Protocol):
    """Maps pixels to vectors."""

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        ...

    @property
    def input_px(self) -> tuple[int, int]:
        """Height and width of the pixels it takes."""
        ...

    @property
    def engine(self) -> Mapping[str, str]:
        """Engine, versions and device, to be recorded beside the contract."""
        ...

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Map uint8 (N, H, W, 3), which may be read-only, to float32 (N, dim)."""
        ...
