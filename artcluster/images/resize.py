"""Antialiased bicubic resize in 8 bits, as Pillow does it, and the fit to a target's shape."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

_GIANT_PIXELS = 50_000_000

_PIECE_PIXELS = 4_000_000
_MUCH = 2

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom excluded."""


def fit_box(size_px: tuple[int, int], target_px: tuple[int, int], fit: str) -> Box:
    """Return the part of a picture that is resized to the target.

    Args:
        size_px: Height and width of the picture.
        target_px: Height and width of the target.
        fit: "squash" for the whole picture, "crop" for the largest centred box of the target's
            shape; what is trimmed is even, so that a turned picture gives the turned box.

    >>> fit_box((100, 301), (224, 224), "crop")
    (100, 0, 201, 100)
    """
    height, width = size_px
    if fit == "squash":
        return 0, 0, width, height
    target_height, target_width = target_px
    if width * target_height >= height * target_width:
        trim = width - max(1, round(height * target_width / target_height))
        left = max(0, trim) // 2
        return left, 0, width - left, height
    trim = height - max(1, round(width * target_height / target_width))
    top = max(0, trim) // 2
    return 0, top, width, height - top


def resize(
    picture: np.ndarray | Image.Image,
    target_px: tuple[int, int],
    box: Box,
    *,
    turned: bool,
    exact: bool,
) -> np.ndarray:
    """Resize the box of a picture, within ±1 of Pillow 13's `resize(…, BICUBIC)`.

    Each of the two passes rounds, so their order shows: on sharp edges by 20 levels and more. It is
    fixed here, whatever the Pillow installed. Pixels go through torch's port of Pillow-SIMD, fast
    in uint8, channels_last and three channels only; through Pillow itself where `exact` is asked of
    sides that shrink to more than half, as there the port's 16-bit weights may lead it 2 levels
    off. For giants see `resize_giant`.

    Args:
        picture: uint8 array H×W×3, or a picture in mode RGB.
        target_px: Height and width wanted, in the picture's own frame.
        box: The part of the picture to resize.
        turned: The result will be turned on its side: the passes go in the order that the upright
            picture would have.
        exact: Within ±1 for certain.

    Returns:
        uint8 array of target height × target width × 3.
    """
    left, top, right, bottom = box
    size = (bottom - top, right - left)
    rows_first = _first_is_vertical(size, target_px, turned=turned)
    height, width = target_px
    passes = ((height, size[1]) if rows_first else (size[0], width), target_px)
    shrinks_little = any(side < _MUCH * to for side, to in zip(size, target_px, strict=True))
    if exact and shrinks_little:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        if size != (image.height, image.width):
            image = image.crop(box)
        for size_px in passes:
            image = image.resize(size_px[::-1], Image.Resampling.BICUBIC)
        return np.array(image)
    pixels = np.array(picture) if isinstance(picture, Image.Image) else picture
    tensor = torch.from_numpy(pixels[top:bottom, left:right]).permute(2, 0, 1).unsqueeze(0)
    for size_px in passes if rows_first else passes[1:]:
        tensor = functional.interpolate(
            tensor.contiguous(memory_format=torch.channels_last),
            size=size_px,
            mode="bicubic",
            align_corners=False,
            antialias=True,
        )
    return tensor[0].permute(1, 2, 0).numpy()


def is_giant(image: Image.Image) -> bool:
    """Return whether a picture is too large to be converted as a whole before it is resized."""
    return image.width * image.height > _GIANT_PIXELS


def resize_giant(
    image: Image.Image,
    to_rgb: Callable[[Image.Image], Image.Image],
    target_px: tuple[int, int],
    box: Box,
    *,
    turned: bool,
    piece_pixels: int = _PIECE_PIXELS,
) -> np.ndarray:
    """Convert and resize a loaded picture of any mode, piece by piece, as Pillow would the whole.

    The first pass treats every row by itself, or every column, so that pieces of whole rows or
    columns give the same pixels.

    Args:
        image: The picture.
        to_rgb: Converts a piece of it.
        target_px: As in `resize`.
        box: As in `resize`.
        turned: As in `resize`.
        piece_pixels: About how many are converted at once.

    Returns:
        uint8 array of target height × target width × 3.
    """
    left, top, right, bottom = box
    height, width = target_px
    if _first_is_vertical((bottom - top, right - left), target_px, turned=turned):
        narrow = Image.new("RGB", (right - left, height))
        step = max(1, piece_pixels // (bottom - top))
        for at in range(left, right, step):
            end = min(at + step, right)
            piece = to_rgb(image.crop((at, top, end, bottom)))
            piece = piece.resize((end - at, height), Image.Resampling.BICUBIC)
            narrow.paste(piece, (at - left, 0))
    else:
        narrow = Image.new("RGB", (width, bottom - top))
        step = max(1, piece_pixels // (right - left))
        for at in range(top, bottom, step):
            end = min(at + step, bottom)
            piece = to_rgb(image.crop((left, at, right, end)))
            piece = piece.resize((width, end - at), Image.Resampling.BICUBIC)
            narrow.paste(piece, (0, at - top))
    return np.array(narrow.resize((width, height), Image.Resampling.BICUBIC))


def _first_is_vertical(
    size_px: tuple[int, int], target_px: tuple[int, int], *, turned: bool
) -> bool:
    """Return whether the vertical pass goes first, in the picture's own frame."""
    if turned:
        return not _rows_first(size_px[::-1], target_px[::-1])
    return _rows_first(size_px, target_px)


def _rows_first(size_px: tuple[int, int], target_px: tuple[int, int]) -> bool:
    """Return whether the vertical pass goes first: it removes over twice as many lines.

    Source: the order that Pillow 13 chooses (found by trying it; Pillow 12 always began with the
    horizontal pass).
    """
    (height, width), (target_height, target_width) = size_px, target_px
    return height - target_height > 2 * max(0, width - target_width)


def orient(pixels_HWC: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an array upright by its EXIF orientation (1 to 8).

    >>> orient(np.array([[[1], [2]], [[3], [4]]]), 6)[..., 0].tolist()
    [[3, 1], [4, 2]]
    """
    if orientation in (5, 6, 7, 8):
        pixels_HWC = pixels_HWC.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels_HWC = pixels_HWC[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels_HWC = pixels_HWC[::-1]
    return np.ascontiguousarray(pixels_HWC)
