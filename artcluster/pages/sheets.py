"""Pictures side by side: a contact sheet as one image, and a page of neighbours in one file."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont

from artcluster.pages.templates import content_hash, page_templates

_STYLE = (
    ":root{color-scheme:light dark;--ink:#1a1a1a;--faint:#666;--paper:#fff;--tile:#f1f1ef;"
    "--mark:#b3261e}"
    "@media(prefers-color-scheme:dark){:root{--ink:#ececec;--faint:#a5a5a5;--paper:#161616;"
    "--tile:#242424;--mark:#f2786f}}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:14px/1.4 system-ui,sans-serif}"
    "main{padding:16px}"
    "h2{font-size:15px;margin:18px 0 8px;overflow-wrap:anywhere}"
    "ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:10px}"
    "li{width:min(180px,44vw)}"
    "figure{margin:0}"
    "figure>img,figure>div{width:100%;aspect-ratio:1;object-fit:contain;background:var(--tile);"
    "display:grid;place-items:center;color:var(--faint);box-sizing:border-box}"
    ".asked img,.asked figure>div{outline:2px solid var(--mark)}"
    "figcaption{font-size:12px;margin-top:4px;overflow-wrap:anywhere}"
    "figcaption span{display:block;color:var(--faint)}"
)


@dataclass(frozen=True)
class SheetTile:
    """One picture of the page: it, its name, and a few words; None for one that is missing."""

    picture: Image.Image | None
    name: str
    words: str


@dataclass(frozen=True)
class Row:
    """A picture asked for and its neighbours, or why it could not be used."""

    asked: SheetTile
    matches: tuple[SheetTile, ...]
    reason: str = ""


def write_page(rows: Iterator[Row], target: BinaryIO) -> None:
    """Write a page, a row at a time; pictures are in it, and text is inert."""
    stream = (
        page_templates()
        .get_template("similar.html")
        .stream(
            rows=rows,
            style=Markup(_STYLE),
            style_hash=content_hash(_STYLE),
            data_uri=_data_uri,
        )
    )
    for piece in stream:
        target.write(piece.encode("utf-8", "replace"))


def _data_uri(picture: Image.Image) -> str:
    encoded = io.BytesIO()
    picture.save(encoded, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"


_PAPER, _INK, _FAINT, _MARK, _EMPTY = "#ffffff", "#1a1a1a", "#6b6b6b", "#b3261e", "#ececec"
_MARGIN_PX = 24
_GAP_PX = 14
_LEAST_TEXT_PX = 11


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Cell:
    """One picture of a sheet.

    Attributes:
        picture: It, not larger than the sheet's cells; None where it could not be read.
        caption: A line below it.
        marked: Whether it is framed.
        missing: Why there is no picture.
    """

    picture: Image.Image | None
    caption: str
    marked: bool = False
    missing: str = ""


def draw_contact_sheet(
    title: str,
    subtitle: str,
    cells: Sequence[Cell],
    *,
    columns: int,
    cell_px: int,
    font_file: Path | None = None,
) -> Image.Image:
    """Draw pictures in rows, each with its caption, under a title.

    Args:
        title: In large letters.
        subtitle: In a line below it.
        cells: The pictures, in reading order.
        cell_px: Side of the square each picture stands in.
        font_file: A TrueType or OpenType font, for captions in other scripts than Latin, Greek and
            Cyrillic.

    Raises:
        OSError: The font cannot be read.
    """
    text_px = max(_LEAST_TEXT_PX, cell_px // 13)
    small, large = _font(font_file, text_px), _font(font_file, text_px * 2)
    columns = max(1, min(columns, len(cells)))
    step_x, step_y = cell_px + _GAP_PX, cell_px + _GAP_PX + round(text_px * 1.6)
    top = _MARGIN_PX + round(text_px * 5.2)
    rows = -(-len(cells) // columns)
    width = 2 * _MARGIN_PX + columns * step_x - _GAP_PX
    sheet = Image.new("RGB", (max(width, 20 * text_px), top + rows * step_y + _MARGIN_PX), _PAPER)
    draw = ImageDraw.Draw(sheet)
    room = sheet.width - 2 * _MARGIN_PX
    draw.text((_MARGIN_PX, _MARGIN_PX), shortened(title, large, room), _INK, large)
    below = (_MARGIN_PX, _MARGIN_PX + round(text_px * 2.8))
    draw.text(below, shortened(subtitle, small, room), _FAINT, small)
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        corner = (_MARGIN_PX + column * step_x, top + row * step_y)
        _draw_cell(sheet, draw, cell, corner, cell_px, small)
    return sheet


def _draw_cell(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    cell: Cell,
    corner: tuple[int, int],
    cell_px: int,
    font: Font,
) -> None:
    left, top = corner
    if cell.picture is None:
        draw.rectangle((left, top, left + cell_px - 1, top + cell_px - 1), _EMPTY)
        words = shortened(cell.missing, font, cell_px - 12)
        draw.text((left + cell_px / 2, top + cell_px / 2), words, _FAINT, font, anchor="mm")
        frame = (left, top, left + cell_px, top + cell_px)
    else:
        x = left + (cell_px - cell.picture.width) // 2
        y = top + (cell_px - cell.picture.height) // 2
        sheet.paste(cell.picture, (x, y))
        frame = (x, y, x + cell.picture.width, y + cell.picture.height)
    if cell.marked:
        box = (frame[0] - 5, frame[1] - 5, frame[2] + 4, frame[3] + 4)
        draw.rectangle(box, outline=_MARK, width=3)
    caption = shortened(cell.caption, font, cell_px)
    draw.text((left + cell_px / 2, top + cell_px + 8), caption, _INK, font, anchor="ma")


def shortened(text: str, font: Font, room_px: float) -> str:
    """Cut a line's middle out so that it fits."""
    line = "".join(each if each.isprintable() else " " for each in text)
    if font.getlength(line) <= room_px:
        return line
    kept = len(line)
    while kept > 1:
        kept -= max(1, kept // 16)
        head = (kept + 1) // 2
        cut = f"{line[:head]}…{line[len(line) - kept + head :]}"
        if font.getlength(cut) <= room_px:
            return cut
    return "…"


def _font(file: Path | None, size_px: int) -> Font:
    return ImageFont.load_default(size_px) if file is None else ImageFont.truetype(file, size_px)
