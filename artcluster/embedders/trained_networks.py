"""Autoencoders that are trained on an archive itself, by name, and the half of them that embeds."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

import torch
from torch import nn

from artcluster.embedders.autoencoders import (
    ConvolutionalAutoencoder,
    GenreAutoencoder,
    genre_autoencoder_v2,
)

_LUMA = (0.299, 0.587, 0.114)


def luma(pixels: torch.Tensor) -> torch.Tensor:
    """Return the grey (N, 1, H, W) of RGB (N, 3, H, W), as OpenCV and Pillow weigh it.

    Source: ITU-R BT.601.

    >>> round(luma(torch.tensor([1.0, 0.0, 1.0]).view(1, 3, 1, 1)).item(), 3)
    0.413
    """
    weights = torch.tensor(_LUMA, dtype=pixels.dtype, device=pixels.device).view(1, 3, 1, 1)
    return (pixels * weights).sum(dim=1, keepdim=True)


def network_input(
    pixels_NHWC: torch.Tensor, channels: int, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Return what a network of so many channels sees of RGB bytes, (N, channels, H, W) in [0, 1].

    Args:
        pixels_NHWC: uint8 (N, H, W, 3).
        channels: 3 for colour, 1 for grey.
        dtype: Of the result.
    """
    pixels = pixels_NHWC.permute(0, 3, 1, 2).to(dtype).div_(255.0)
    return luma(pixels) if channels == 1 else pixels


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


Autoencoder = ConvolutionalAutoencoder | GenreAutoencoder
"""A module of `encoder` and `decoder`, which returns what both do."""


class _Builder(Protocol):
    def __call__(self, *, input_px: int, seed: int) -> Autoencoder:
        """Build an autoencoder for images of this side."""
        ...


AUTOENCODERS: Mapping[str, _Builder] = {
    "cae": ConvolutionalAutoencoder,
    "genre-cae": GenreAutoencoder,
    "genre-cae-grey": partial(GenreAutoencoder, channels=1),
    "genre-v2": genre_autoencoder_v2,
    "genre-v2-grey": partial(genre_autoencoder_v2, channels=1),
}


class Encoder(nn.Module):
    """An autoencoder's first half, under the names it has in the whole."""

    def __init__(self, name: str, input_px: int, seed: int) -> None:
        super().__init__()
        autoencoder = AUTOENCODERS[name](input_px=input_px, seed=seed)
        self.encoder = autoencoder.encoder
        self.grey = autoencoder.channels == 1

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map (N, 3, H, W) in [0, 1] to codes (N, D)."""
        code: torch.Tensor = self.encoder(luma(pixels) if self.grey else pixels)
        return code
