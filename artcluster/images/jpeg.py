"""JPEGs straight through libjpeg-turbo, scaled down while they are decoded where allowed."""

import numpy as np
import simplejpeg

_LEFT_OVER = 2


def scale_divisor(size_px: tuple[int, int], target_px: tuple[int, int]) -> int:
    """Return 4, 2 or 1: the largest that leaves twice the target on both sides.

    Both arguments are height and width. 1/8 and the odd fractions (3/8, …) are never used: they
    cost 10 dB and more against a full decode.

    >>> scale_divisor((2400, 3000), (224, 224)), scale_divisor((500, 3000), (224, 224))
    (4, 1)
    """
    for divisor in (4, 2):
        if all(
            side >= _LEFT_OVER * divisor * to for side, to in zip(size_px, target_px, strict=True)
        ):
            return divisor
    return 1


def decode_jpeg(blob: bytes, size_px: tuple[int, int], divisor: int) -> np.ndarray | None:
    """Decode a grey or three-channel JPEG to RGB at 1/divisor of its size.

    Strict: a stream with the slightest fault is left to Pillow to judge, so that what is rejected,
    and for what reason, does not depend on the path. Grey comes as RGB, which resizes faster.

    Args:
        blob: The file.
        size_px: Height and width in the header.
        divisor: 1, 2 or 4.

    Returns:
        uint8 array H×W×3, or None where libjpeg-turbo found any fault.
    """
    height, width = (-(-side // divisor) for side in size_px)
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(
            blob, "RGB", min_height=height, min_width=width, strict=True
        )
    except ValueError:
        return None
    return pixels if pixels.shape == (height, width, 3) else None
