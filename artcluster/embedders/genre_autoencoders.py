"""The two autoencoders of the genre paper, whose codes are 1/12 and 1/163 of their input.

Source: Barandooru Janavejirao, Di Maro and Soglia, "Image clustering based on genres using
autoencoder". It states the sizes of the codes, a mean squared error and 128×128 pixels in colour or
grey; its figures of the layers are not legible. What is open here is as in DCEC's network: three
3×3 convolutions of stride 2, padded as Keras pads `same`, 32 and 64 filters and more, ReLU, a
linear code and a linear reconstruction, Glorot-uniform weights.
"""

import torch
from torch import nn

from artcluster.embedders.autoencoder import (
    ConvolutionalAutoencoder,
    SameConv2d,
    SameConvTranspose2d,
    check_input_px,
    initialise_glorot,
)

_CODE_MAPS = {3: 16, 1: 5}
"""Maps of the code at an eighth of the side, by channels: 3·64/16 = 12 exactly, 1·64/5 = 12.8."""

_INPUT_A_CODE_UNIT = 128 * 128 * 3 / 300
"""163.84: 300 numbers of 128×128 in colour, 100 of grey; another count would not be 1/163."""


class GenreAutoencoder(nn.Module):
    """The `Autoencoder`, fully convolutional; its `encoder` is the embedder `genre-cae`.

    At 128 px in colour the code is 16×16×16 = 4,096 of 49,152 numbers, 1/12. It has 57,235
    parameters, 28,624 of them in the encoder: conv 896 + 18,496 + 9,232; decoder 9,280 + 18,464 +
    867. In grey the code has 1,280 numbers, 1/12.8: no whole number of maps gives 1/12.

    Args:
        input_px: Height and width of the images; a multiple of 8.
        channels: 3 for colour, 1 for grey.
        seed: Seeds the weights.

    Raises:
        ValueError: `input_px` or `channels` is none of these.
    """

    def __init__(self, *, input_px: int = 128, channels: int = 3, seed: int = 0) -> None:
        check_input_px(input_px)
        if channels not in _CODE_MAPS:
            raise ValueError(f"channels must be 3 for colour or 1 for grey, got {channels}")
        super().__init__()
        maps, side = _CODE_MAPS[channels], input_px // 8
        self.input_px = input_px
        self.channels = channels
        self.code = maps * side * side
        self.encoder = nn.Sequential(
            SameConv2d(channels, 32, 3),
            nn.ReLU(),
            SameConv2d(32, 64, 3),
            nn.ReLU(),
            SameConv2d(64, maps, 3),
            nn.Flatten(),
        )
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (maps, side, side)),
            SameConvTranspose2d(maps, 64, 3),
            nn.ReLU(),
            SameConvTranspose2d(64, 32, 3),
            nn.ReLU(),
            SameConvTranspose2d(32, channels, 3),
        )
        initialise_glorot(self, seed)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode and reconstruct.

        Args:
            pixels: Float (N, channels, input_px, input_px) in [0, 1].

        Returns:
            The code (N, code) and the reconstruction, of the pixels' shape and not clipped.
        """
        code: torch.Tensor = self.encoder(pixels)
        return code, self.decoder(code)


def genre_autoencoder_v2(
    *, input_px: int = 128, channels: int = 3, seed: int = 0
) -> ConvolutionalAutoencoder:
    """Build the `Autoencoder_v2`; its encoder is the embedder `genre-v2`.

    At 128 px the code has 300 numbers in colour and 100 in grey, 1/163 of the input in both. In
    colour it has 19,880,239 parameters, 9,923,948 of them in the encoder: conv 896 + 18,496 +
    73,856, dense 9,830,700; decoder: dense 9,863,168, transposed conv 73,792 + 18,464 + 867.

    Args:
        input_px: Height and width of the images; a multiple of 8.
        channels: 3 for colour, 1 for grey.
        seed: Seeds the weights.
    """
    return ConvolutionalAutoencoder(
        input_px=input_px,
        channels=channels,
        kernels=(3, 3, 3),
        activation=nn.ReLU,
        code=max(1, round(channels * input_px * input_px / _INPUT_A_CODE_UNIT)),
        seed=seed,
    )
