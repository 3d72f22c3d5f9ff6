"""Slices of huge pictures: a grid of pieces of one size each, which together show every pixel.

Source: Barandooru Janavejirao, Di Maro and Soglia, "Image clustering based on genres using
autoencoder", Figure 11: a huge image is resized and cropped into parts, so that nothing of it is
lost. Their sizes are not stated.
"""

from dataclasses import dataclass, replace

import numpy as np

from artcluster.images import identify
from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from artcluster.images.rejects import ImageInfo

_COARSER = 1.1


def slice_grid(size_px: tuple[int, int], slice_px: int, most: int) -> tuple[int, int]:
    """Return rows and columns of the grid that a picture is cut into.

    A picture up to one and a half slices high and wide is not cut: its grid is 1×1. Where there
    would be too many slices, they are larger.

    Args:
        size_px: Height and width of the picture.
        slice_px: Side that a slice has in the picture, about.
        most: Slices at most.

    Raises:
        ValueError: A number is below 1.

    >>> slice_grid((1000, 1400), 1024, 16)
    (1, 1)
    >>> slice_grid((2048, 3100), 1024, 16)
    (2, 3)
    >>> slice_grid((60000, 1000), 1024, 16)
    (15, 1)
    """
    if min(*size_px, slice_px, most) < 1:
        raise ValueError(
            f"expected a size, slice_px and most of at least 1, got {size_px}, {slice_px}, {most}"
        )
    side = float(slice_px)
    while True:
        rows, columns = (max(1, round(length / side)) for length in size_px)
        if rows * columns <= most:
            return rows, columns
        side *= _COARSER


def cut_slices(pixels_HWC: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Cut a picture into a grid, in reading order, (rows·columns, H/rows, W/columns, C).

    Raises:
        ValueError: The picture's sides are no multiples of the grid's.

    >>> cut_slices(np.arange(8).reshape(2, 4, 1), 1, 2)[..., 0].tolist()
    [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    """
    height, width, channels = pixels_HWC.shape
    if height % rows or width % columns:
        raise ValueError(
            f"expected sides that {rows}×{columns} slices divide, got {height}×{width} px"
        )
    grid = pixels_HWC.reshape(rows, height // rows, columns, width // columns, channels)
    return grid.swapaxes(1, 2).reshape(-1, height // rows, width // columns, channels)


@dataclass(frozen=True)
class DecodeSlices:
    """Decodes a picture into its slices, for a `Decoder` in its killable child. A `DecodeOne`.

    The decoder's `size_px` is (most · side, side): slices lie one below the other, `slice_grid` of
    the picture's size says how many; below them it is black.

    Attributes:
        slice_px: Side that a slice has in the picture, about.
        most: Slices at most.
    """

    slice_px: int
    most: int

    def __call__(
        self, blob: bytes, policy: PixelPolicy, size_px: tuple[int, int]
    ) -> tuple[np.ndarray | None, ImageInfo]:
        """Decode one picture; never raises over its bytes.

        Args:
            blob: The file.
            policy: What is done to the pixels. A picture that is cut is squashed onto its grid.
            size_px: Height and width of the column of slices.

        Returns:
            uint8 array of `size_px`, and the picture's info; None and an info with a reject if it
            is refused.
        """
        side = size_px[1]
        info = identify.probe_image(blob, policy)
        # Some pictures tell only when they are decoded that they stand on their side.
        for _ in range(2):
            if info.reject is not None or info.width is None or info.height is None:
                break
            expected = (info.height, info.width)
            rows, columns = slice_grid(expected, self.slice_px, self.most)
            whole = policy if rows * columns == 1 else replace(policy, fit="squash")
            pixels, info = decode_image(blob, whole, (rows * side, columns * side))
            if pixels is not None and (info.height, info.width) == expected:
                column = np.zeros((*size_px, 3), np.uint8)
                column[: rows * columns * side] = cut_slices(pixels, rows, columns).reshape(
                    -1, side, 3
                )
                return column, info
        return None, info
