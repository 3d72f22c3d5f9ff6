"""The cover of a cluster: its most typical pictures, side by side."""

import io
from collections.abc import Sequence

from PIL import Image, ImageOps

from artcluster.report.atlas import Tile, unpack
from artcluster.stages.thumbnails import Thumbnails

WIDTH_PX, HEIGHT_PX = 480, 320
_GAP_PX = 4
_LAYOUTS = {
    1: [(0, 0, 6, 4)],
    2: [(0, 0, 3, 4), (3, 0, 3, 4)],
    3: [(0, 0, 4, 4), (4, 0, 2, 2), (4, 2, 2, 2)],
    4: [(0, 0, 3, 2), (3, 0, 3, 2), (0, 2, 3, 2), (3, 2, 3, 2)],
    5: [(0, 0, 4, 4), (4, 0, 1, 2), (5, 0, 1, 2), (4, 2, 1, 2), (5, 2, 1, 2)],
    6: [(0, 0, 2, 2), (2, 0, 2, 2), (4, 0, 2, 2), (0, 2, 2, 2), (2, 2, 2, 2), (4, 2, 2, 2)],
}
"""By the number of pictures: left, upper edge, width and height in sixths and quarters."""


def draw_cover(tiles: Sequence[Tile], thumbnails: Thumbnails) -> bytes:
    """Return a cover in WebP, of up to six small copies, each cropped to its field's shape.

    Args:
        tiles: At least one.
        thumbnails: Where they lie.
    """
    chosen = tiles[:6]
    cover = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (239, 236, 229))
    fields = _LAYOUTS[len(chosen)]
    for tile, (left, top, width, height) in zip(chosen, fields, strict=True):
        (picture,) = unpack(thumbnails.sheet(tile.sheet), [tile], thumbnails.grid)
        x0, x1 = _edges(left, width, 6, WIDTH_PX)
        y0, y1 = _edges(top, height, 4, HEIGHT_PX)
        fitted = ImageOps.fit(picture, (x1 - x0, y1 - y0), centering=(0.5, 0.4))
        cover.paste(fitted, (x0, y0))
    stream = io.BytesIO()
    cover.save(stream, "WEBP", quality=80, method=4)
    return stream.getvalue()


def _edges(start: int, length: int, parts: int, whole_px: int) -> tuple[int, int]:
    step = (whole_px + _GAP_PX) / parts
    return round(start * step), round((start + length) * step) - _GAP_PX
