"""A page of similar pictures that needs nothing but itself: a row for each picture asked for."""

import base64
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from PIL import Image

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
class Tile:
    """One picture of the page: it, its name, and a few words; None for one that is missing."""

    picture: Image.Image | None
    name: str
    words: str


@dataclass(frozen=True)
class Row:
    """A picture asked for and its neighbours, or why it could not be used."""

    asked: Tile
    matches: tuple[Tile, ...]
    reason: str = ""


def write_page(rows: Iterator[Row], target: BinaryIO) -> None:
    """Write a page, a row at a time; pictures are in it, and text is inert."""
    environment = Environment(loader=PackageLoader("artcluster.sheets"), autoescape=True)
    template = environment.get_template("similar.html")
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    stream = template.stream(
        rows=rows, style=Markup(_STYLE), style_hash=f"sha256-{digest}", data_uri=_data_uri
    )
    for piece in stream:
        target.write(piece.encode("utf-8", "replace"))


def _data_uri(picture: Image.Image) -> str:
    encoded = io.BytesIO()
    picture.save(encoded, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"
