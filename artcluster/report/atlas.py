"""Sheets: many small pictures in one file, each in a cell of its own."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

_SHEET_PX = 1024
_QUALITY = 80


@dataclass(frozen=True)
class Tile:
    """Where a small picture lies.

    Attributes:
        sheet: Name of its sheet.
        place: Number of its cell, row by row.
        width: Pixels, from the cell's left edge.
        height: Pixels, from the cell's upper edge.
    """

    sheet: str
    place: int
    width: int
    height: int


@dataclass(frozen=True)
class Grid:
    """Cells of a sheet.

    Attributes:
        cell_px: Side of a square cell.

    >>> Grid(128).columns, Grid(128).cells, Grid(128).corner(9)
    (8, 64, (128, 128))
    """

    cell_px: int

    @property
    def columns(self) -> int:
        """Cells side by side."""
        return max(1, _SHEET_PX // self.cell_px)

    @property
    def cells(self) -> int:
        """Cells of a full sheet."""
        return self.columns**2

    @property
    def side_px(self) -> int:
        """Width of a sheet; the last one's height may be less."""
        return self.columns * self.cell_px

    def corner(self, place: int) -> tuple[int, int]:
        """Return left and upper edge of a cell in pixels."""
        row, column = divmod(place, self.columns)
        return column * self.cell_px, row * self.cell_px


def pack(pictures: Sequence[Image.Image], grid: Grid) -> bytes:
    """Put pictures into one sheet, in WebP; as high as full, so that all sheets are alike.

    The cells' rest repeats the picture's edges, so that compression carries nothing over a border.

    Args:
        pictures: RGB, none larger than a cell, no more than the sheet has cells.
        grid: Their cells.
    """
    sheet = np.full((grid.side_px, grid.side_px, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        pixels = np.asarray(picture)
        left, top = grid.corner(place)
        height, width = pixels.shape[:2]
        missing = ((0, grid.cell_px - height), (0, grid.cell_px - width), (0, 0))
        cell = np.pad(pixels, missing, mode="edge")
        sheet[top : top + grid.cell_px, left : left + grid.cell_px] = cell
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "WEBP", quality=_QUALITY, method=2)
    return stream.getvalue()


def unpack(sheet: bytes, tiles: Sequence[Tile], grid: Grid) -> list[Image.Image]:
    """Cut pictures out of a sheet that `pack` made."""
    with Image.open(io.BytesIO(sheet)) as image:
        pixels = image.convert("RGB")
    corners = [grid.corner(tile.place) for tile in tiles]
    return [
        pixels.crop((left, top, left + tile.width, top + tile.height))
        for (left, top), tile in zip(corners, tiles, strict=True)
    ]
