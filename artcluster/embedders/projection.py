"""Projection of raw pixels onto principal components: the embedder `pca:N`."""

import torch
from torch import nn


class PixelProjection(nn.Module):
    """Flattened pixels less their mean, projected on orthonormal components.

    Args:
        dim: Number of components.
        input_px: Height and width of the images.
    """

    mean: torch.Tensor
    components: torch.Tensor

    def __init__(self, dim: int, input_px: tuple[int, int]) -> None:
        super().__init__()
        numbers = 3 * input_px[0] * input_px[1]
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("components", torch.zeros(dim, numbers))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map (N, 3, H, W) in [0, 1] to (N, dim)."""
        # Flattened as the bytes lie, rows of pixels of three channels.
        flat = pixels.permute(0, 2, 3, 1).flatten(1)
        return (flat - self.mean) @ self.components.T
