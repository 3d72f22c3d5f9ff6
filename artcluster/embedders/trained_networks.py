"""Autoencoders that are trained on an archive itself, by name, and the half of them that embeds."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

import torch
from torch import nn

from artcluster.embedders.autoencoder import ConvolutionalAutoencoder
from artcluster.embedders.genre_autoencoders import GenreAutoencoder, genre_autoencoder_v2
from artcluster.embedders.pixel_input import luma

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
