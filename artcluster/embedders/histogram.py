"""A baseline without weights: the joint histogram of an image's colours."""

from collections.abc import Mapping

import numpy as np

from artcluster.embedders.contract import Contract
from artcluster.embedders.pixels import check_pixels

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
