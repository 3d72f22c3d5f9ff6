"""Altered copies of pictures for training: flipped, turned and cropped; the seed decides how."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

_MOST_DEGREES = 15.0
_LEAST_SIDE = 0.8


def augmented(pixels_HWC: np.ndarray, seed: Sequence[int]) -> np.ndarray:
    """Return an altered copy of a picture.

    It is mirrored with a chance of one half, turned by up to 15° either way (its edges reflected,
    so that no corner is empty), and cropped to a square of 80 to 100 % of its side, which is
    brought back to the full side.

    Args:
        pixels_HWC: uint8, a square of at least 8 px in RGB.
        seed: Decides the copy: the picture's number and the copy's, say.

    Returns:
        uint8 of the same shape.

    Raises:
        ValueError: It is no such picture.

    Source: Barandooru Janavejirao et al., "Augmentation on Critical Genres", does not say how it
    alters pictures.

    >>> picture = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    >>> bool((augmented(picture, (0, 1)) == augmented(picture, (0, 1))).all())
    True
    """
    side = pixels_HWC.shape[0]
    if pixels_HWC.dtype != np.uint8 or pixels_HWC.shape != (side, side, 3) or side < 8:
        raise ValueError(
            f"expected a uint8 square of at least 8 px in RGB, got {pixels_HWC.dtype} of shape "
            f"{pixels_HWC.shape}"
        )
    generator = np.random.default_rng(seed)
    mirrored, degrees, share, *place = generator.random(5)
    if mirrored < 0.5:
        pixels_HWC = pixels_HWC[:, ::-1]
    # A square turned by 15° reaches 0.11 of its side beyond itself.
    margin = side // 4
    around = np.pad(pixels_HWC, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    turned = Image.fromarray(around).rotate(
        _MOST_DEGREES * (2 * degrees - 1), Image.Resampling.BILINEAR
    )
    kept = max(1, round(side * (_LEAST_SIDE + (1 - _LEAST_SIDE) * share)))
    left, top = (margin + round((side - kept) * at) for at in place)
    box = (left, top, left + kept, top + kept)
    return np.array(turned.resize((side, side), Image.Resampling.BICUBIC, box=box))


def copies_wanted(counts: Sequence[int], up_to: int, most: int) -> list[int]:
    """Return how many copies bring each class up to a count.

    Args:
        counts: Pictures of each class.
        up_to: Pictures wanted; a class that has as many gets none.
        most: Copies of one picture at most: many copies of few pictures would be learned by heart.

    >>> copies_wanted([3, 50, 100], up_to=60, most=5)
    [15, 10, 0]
    """
    return [max(0, min(up_to - count, most * count)) for count in counts]
