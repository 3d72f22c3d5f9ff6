"""DCEC-Paint's convolutional autoencoder: three strided convolutions, a code, and their mirror."""

from collections.abc import Callable, Sequence

import torch
from torch import nn


class SameConv2d(nn.Module):
    """A stride-2 convolution padded as Keras pads `same`: the odd zero goes below and right.

    Halves a map of even height and width. torch's own symmetric padding would shift the map.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        before = (kernel - 2) // 2
        after = kernel - 2 - before
        self.pad = nn.ZeroPad2d((before, after, before, after))
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=2)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H/2, W/2)."""
        out: torch.Tensor = self.conv(self.pad(maps))
        return out


class SameConvTranspose2d(nn.Module):
    """The adjoint of `SameConv2d`: doubles height and width, as Keras's Conv2DTranspose does."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, kernel, stride=2, padding=(kernel - 2) // 2)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (N, inputs, H, W) to (N, outputs, 2·H, 2·W)."""
        height, width = 2 * maps.shape[2], 2 * maps.shape[3]
        out: torch.Tensor = self.conv(maps)
        return out[:, :, :height, :width]


class ConvolutionalAutoencoder(nn.Module):
    """DCEC-Paint's autoencoder; its `encoder` is the embedder `cae`.

    At its published size (128 px, 32 code units) it has 2,384,931 parameters, 1,176,160 of them
    in the encoder: conv 2,432 + 51,264 + 73,856, dense 1,048,608; decoder: dense 1,081,344,
    transposed conv 73,792 + 51,232 + 2,403.

    Source: Castellano and Vessio 2021, "Deep convolutional embedding for digitized painting
    clustering", §3. The paper leaves the ends open; as in the DCEC authors' network the code and
    the reconstruction are linear and every other layer is followed by the nonlinearity, here ELU.

    Args:
        input_px: Height and width of the images; a multiple of 8.
        channels: Colour channels of the images.
        filters: Filters of the three convolutions.
        kernels: Sides of their kernels.
        activation: The nonlinearity.
        code: Length of the code.
        seed: Seeds the weights, which are drawn as Keras draws them by default: Glorot uniform,
            biases zero.

    Raises:
        ValueError: `input_px` is not a positive multiple of 8, or `filters` or `kernels` are not
            three.
    """

    def __init__(
        self,
        *,
        input_px: int = 128,
        channels: int = 3,
        filters: Sequence[int] = (32, 64, 128),
        kernels: Sequence[int] = (5, 5, 3),
        activation: Callable[[], nn.Module] = nn.ELU,
        code: int = 32,
        seed: int = 0,
    ) -> None:
        check_input_px(input_px)
        if len(filters) != 3 or len(kernels) != 3:
            raise ValueError(
                f"filters and kernels must be three numbers each, got {tuple(filters)} and "
                f"{tuple(kernels)}"
            )
        super().__init__()
        first, second, third = filters
        side = input_px // 8
        self.input_px = input_px
        self.channels = channels
        self.code = code
        self.encoder = nn.Sequential(
            SameConv2d(channels, first, kernels[0]),
            activation(),
            SameConv2d(first, second, kernels[1]),
            activation(),
            SameConv2d(second, third, kernels[2]),
            activation(),
            nn.Flatten(),
            nn.Linear(third * side * side, code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, third * side * side),
            activation(),
            nn.Unflatten(1, (third, side, side)),
            SameConvTranspose2d(third, second, kernels[2]),
            activation(),
            SameConvTranspose2d(second, first, kernels[1]),
            activation(),
            SameConvTranspose2d(first, channels, kernels[0]),
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


def check_input_px(input_px: int) -> None:
    """Check that three strided convolutions can halve an image of this side.

    Raises:
        ValueError: It is not a positive multiple of 8.
    """
    if input_px <= 0 or input_px % 8:
        raise ValueError(
            f"input_px must be a positive multiple of 8, got {input_px}: "
            "three convolutions halve the image three times"
        )


def initialise_glorot(network: nn.Module, seed: int) -> None:
    """Draw all weights from Glorot's uniform distribution and set biases to zero, in place.

    Source: Glorot and Bengio 2010, Eq. 16; the default of Keras's Conv2D and Dense.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


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
