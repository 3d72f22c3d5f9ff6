"""What an autoencoder sees of pixels: numbers from 0 to 1, in colour or in grey."""

import torch

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
