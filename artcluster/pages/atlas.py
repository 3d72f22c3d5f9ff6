"""Sheets: many small pictures in one file, each in a cell of its own."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

_GAP_PX = 4
_PAPER = "#8a8a8a"


@dataclass(frozen=True)
class Gallery:
    """Rows of squares of one size, as one picture.

    Attributes:
        rows: A name each; told beside the picture.
        pictures: By row, one below the other; all rows are of one length.
        alt: What they show, for who does not see them.
        captions: A line for each column.
        file: What the picture is called beside a text.
    """

    title: str
    rows: Sequence[str]
    pictures: Sequence[Sequence[Image.Image]]
    alt: str
    captions: Sequence[str] = ()
    file: str = ""

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the whole."""
        side = self.pictures[0][0].width + _GAP_PX
        return len(self.pictures[0]) * side - _GAP_PX, len(self.pictures) * side - _GAP_PX


def gallery_webp(gallery: Gallery) -> bytes:
    """Return all pictures as one WebP file."""
    whole = Image.new("RGB", gallery.size_px, _PAPER)
    for down, row in enumerate(gallery.pictures):
        for across, picture in enumerate(row):
            side = picture.width + _GAP_PX
            whole.paste(picture, (across * side, down * side))
    stream = io.BytesIO()
    whole.save(stream, "WEBP", quality=85)
    return stream.getvalue()


def gallery_uri(gallery: Gallery) -> str:
    """Return all pictures as a data URI."""
    return f"data:image/webp;base64,{base64.b64encode(gallery_webp(gallery)).decode()}"


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
