"""Pictures beside one another in rows: originals, and what became of them."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

_GAP_PX = 4
_PAPER = "#8a8a8a"


@dataclass(frozen=True)
class Gallery:
    """Rows of squares of one size, as one picture.

    Attributes:
        title: What they are of.
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
