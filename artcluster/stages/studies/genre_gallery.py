"""Squares of a genre beside their reconstructions, as a page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from artcluster.report.gallery import Gallery

_SHOWN_PX = 96
"""Smaller squares are shown enlarged."""


@dataclass(frozen=True)
class Example:
    """Squares of a genre and their reconstructions.

    Attributes:
        genre: The genre.
        rows: uint8 RGB (N, side, side, 3): the originals, then what each training made of them.
        paths: Paths of their pictures.
        losses: Errors of each square, one a training.
    """

    genre: str
    rows: Sequence[np.ndarray]
    paths: Sequence[str]
    losses: Sequence[Sequence[float]]


def gallery(example: Example, number: int) -> Gallery:
    """Return the squares of a genre, the `number`th on its page."""
    names = ["original", "reconstruction", "with augmentation"][: len(example.rows)]
    return Gallery(
        example.genre,
        names,
        [[_shown(picture) for picture in row] for row in example.rows],
        f"{example.genre}: {len(example.paths)} originals above, their reconstructions below",
        [
            f"{path}: {', '.join(loss_figure(loss) for loss in losses)}"
            for path, losses in zip(example.paths, example.losses, strict=True)
        ],
        f"reconstructions-{number + 1}.webp",
    )


def loss_figure(value: float | None) -> str:
    """Write a loss.

    >>> loss_figure(0.00184), loss_figure(None)
    ('0.0018', '–')
    """
    return "–" if value is None else f"{value:.4f}"


def _shown(pixels_HWC: np.ndarray) -> Image.Image:
    times = -(-_SHOWN_PX // len(pixels_HWC))
    side = times * len(pixels_HWC)
    return Image.fromarray(pixels_HWC).resize((side, side), Image.Resampling.BICUBIC)
