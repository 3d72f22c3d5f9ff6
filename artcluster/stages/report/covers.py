"""The cover of a cluster: its most typical pictures, side by side."""

import io
from collections.abc import Sequence

from PIL import Image, ImageOps

from artcluster.report.atlas import Tile, unpack
from artcluster.stages.thumbnails import Thumbnails

WIDTH_PX, HEIGHT_PX = 480, 320
_GAP_PX = 4
_MOST = 6
_GROUND = (239, 236, 229)


def draw_cover(tiles: Sequence[Tile], thumbnails: Thumbnails) -> bytes:
    """Return a cover in WebP: up to six small copies in one or two rows that fill it.

    Within a row widths go by the pictures' shapes, so that little is cropped.

    Args:
        tiles: At least one.
        thumbnails: Where they lie.
    """
    chosen = tiles[:_MOST]
    half = len(chosen) // 2
    rows = [chosen] if len(chosen) < 3 else [chosen[:half], chosen[half:]]
    cover = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), _GROUND)
    # A row of wide pictures is low, one of upright ones is high.
    heights = [1 / sum(_shape(tile) for tile in row) for row in rows]
    for row, (top, bottom) in zip(rows, _shares(heights, HEIGHT_PX), strict=True):
        edges = _shares([_shape(tile) for tile in row], WIDTH_PX)
        for tile, (left, right) in zip(row, edges, strict=True):
            (picture,) = unpack(thumbnails.sheet(tile.sheet), [tile], thumbnails.grid)
            cover.paste(ImageOps.fit(picture, (right - left, bottom - top)), (left, top))
    stream = io.BytesIO()
    cover.save(stream, "WEBP", quality=80, method=4)
    return stream.getvalue()


def _shape(tile: Tile) -> float:
    """Return width over height, within what looks well beside others."""
    return min(2.0, max(0.6, tile.width / tile.height))


def _shares(parts: Sequence[float], whole_px: int) -> list[tuple[int, int]]:
    """Share a length out by parts, with gaps between: start and end of each.

    >>> _shares([1, 1], 104)
    [(0, 50), (54, 104)]
    """
    scale = (whole_px - _GAP_PX * (len(parts) - 1)) / sum(parts)
    edges, at = [], 0.0
    for part in parts:
        edges.append((round(at), round(at + part * scale)))
        at += part * scale + _GAP_PX
    return edges
