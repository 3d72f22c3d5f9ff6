"""TIFF that Pillow reads wrongly or not at all, by tifffile and imagecodecs, band after band.

Only for pictures that need it: tifffile is slow to import.
"""

import io
import itertools
import math
from collections.abc import Iterator

import numpy as np
import tifffile
from PIL import Image
from tifffile import PHOTOMETRIC

from artcluster.images.colour import Range, compose, joint_range, scale_to_uint8, value_range
from artcluster.images.levelled import LevelledPicture
from artcluster.images.rejects import Refused
from artcluster.images.tiff_layout import Layout

_MOST_PAGES = 64

_BAND_BYTES = 1 << 24

_REDUCED, _MASK = 1, 4

_COLOUR_MAP, _PROFILE, _ORIENTATION = 320, 34675, 274


def open_tiff(blob: bytes) -> LevelledPicture | None:
    """Open a TIFF at the page that holds the whole picture; None where the header is broken.

    Raises:
        Refused: The page is of a layout that is not read.
    """
    try:
        file = tifffile.TiffFile(io.BytesIO(blob))
        pages = _pages(file)
    except Exception:
        return None
    if not pages or not pages[0].imagewidth or not pages[0].imagelength:
        return None
    page = _whole(pages)
    layouts = [Layout.of(page)]
    for copy in _copies(page, pages):
        try:
            layouts.append(Layout.of(copy))
        except Refused:
            continue
    profile = page.tags.valueof(_PROFILE)
    orientation = page.tags.valueof(_ORIENTATION, 1)
    return LevelledPicture(
        "TIFF",
        [(layout.page.imagewidth, layout.page.imagelength) for layout in layouts],
        lambda level: read_pixels(layouts[level], blob),
        profile=bytes(profile) if profile else None,
        orientation=orientation if orientation in range(1, 9) else 1,
    )


def _pages(file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """Return the first pages of a file, each followed by its SubIFDs, up to one that is broken."""
    pages = list[tifffile.TiffPage]()
    for number in range(_MOST_PAGES):
        try:
            page = file.pages[number]
            assert isinstance(page, tifffile.TiffPage)
            pages.append(page)
            for inner in range(len(page.pages or ())):
                assert page.pages is not None
                copy = page.pages[inner]
                assert isinstance(copy, tifffile.TiffPage)
                pages.append(copy)
        except Exception:
            break
    return pages


def _whole(pages: list[tifffile.TiffPage]) -> tifffile.TiffPage:
    """Return the first page that is no reduced copy: some cameras begin with a thumbnail."""
    for page in pages:
        if not page.subfiletype & (_REDUCED | _MASK):
            return page
    return pages[0]


def _copies(whole: tifffile.TiffPage, pages: list[tifffile.TiffPage]) -> list[tifffile.TiffPage]:
    """Return smaller copies of a page, largest first: marked so, or tiles of a pyramid."""
    copies = [page for page in pages if page is not whole and _is_copy(page, whole)]
    return sorted(copies, key=lambda page: -page.imagewidth)


def _is_copy(page: tifffile.TiffPage, whole: tifffile.TiffPage) -> bool:
    if page.subfiletype & _MASK or not 0 < page.imagewidth < whole.imagewidth:
        return False
    if page.photometric != whole.photometric or page.samplesperpixel != whole.samplesperpixel:
        return False
    factor = whole.imagewidth / page.imagewidth
    if abs(whole.imagelength / factor - page.imagelength) > 2:
        return False
    of_pyramid = page.is_tiled and abs(factor - 2 ** round(math.log2(factor))) < 0.05 * factor
    return bool(page.subfiletype & _REDUCED) or of_pyramid


def read_pixels(layout: Layout, blob: bytes) -> Image.Image:
    """Return a page in 8 bits, in Pillow's mode for its samples.

    Raises:
        EOFError: The file ends before the page does.
    """
    page = layout.page
    span = (0.0, 0.0)
    if not layout.fills_its_range:
        colours = (band[..., : layout.colours] for _, band in _bands(layout, blob))
        span = joint_range(value_range(values) for values in colours)
    whole: Image.Image | None = None
    for top, band in _bands(layout, blob):
        part = _in_8_bits(layout, band, span)
        if part.height == page.imagelength:
            return part
        if whole is None:
            whole = Image.new(part.mode, (page.imagewidth, page.imagelength))
        whole.paste(part, (0, top))
    assert whole is not None
    return whole


def _in_8_bits(layout: Layout, band_HWC: np.ndarray, span: Range) -> Image.Image:
    page = layout.page
    colours = band_HWC[..., : layout.colours]
    if page.photometric == PHOTOMETRIC.PALETTE:
        pixels = _colour_map(page)[colours[..., 0].astype(np.intp)]
    elif layout.mode == "LAB":
        pixels = _lab(colours, page)
    else:
        pixels = _levels(colours, layout, span)
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        pixels = 255 - pixels
    alpha = None
    if layout.alpha is not None:
        alpha = _opacity(band_HWC[..., layout.alpha : layout.alpha + 1], layout)
    profile = page.tags.valueof(_PROFILE)
    return compose(
        pixels.astype(np.uint8),
        layout.mode,
        alpha,
        associated=layout.associated,
        profile=bytes(profile) if profile else None,
    )


def _levels(values: np.ndarray, layout: Layout, span: Range) -> np.ndarray:
    """Return colours in 8 bits: grey is rounded, of other colours the high bits are kept."""
    bits = layout.page.bitspersample
    if not layout.fills_its_range:
        ceilings = (1, 255, 65535) if layout.dtype.kind == "f" else (255, 65535)
        return scale_to_uint8(values, ceilings, span)
    if bits == 8:
        return values
    if bits < 8 or layout.mode == "L":
        return scale_to_uint8(values, (2**bits - 1,), (0.0, 2.0**bits - 1))
    high: np.ndarray = (values >> (bits - 8)).astype(np.uint8)
    return high


def _opacity(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Return alpha in 8 bits: full is the most that its type holds, or 1.0."""
    bits = layout.page.bitspersample
    if layout.dtype.kind == "f":
        return scale_to_uint8(np.clip(values, 0, 1), (1,), (0.0, 1.0))
    if layout.dtype.kind == "i":
        return scale_to_uint8(np.maximum(values, 0), (2 ** (bits - 1) - 1,), (0.0, 1.0))
    if bits < 8:
        return scale_to_uint8(values, (2**bits - 1,), (0.0, 1.0))
    high: np.ndarray = (values >> (bits - 8)).astype(np.uint8)
    return high


def _colour_map(page: tifffile.TiffPage) -> np.ndarray:
    """Return the palette in 8 bits, colours × 3; old writers left the high bytes empty."""
    values = page.tags.valueof(_COLOUR_MAP)
    colours = np.asarray(values, np.uint16).reshape(3, -1).T
    return (colours if colours.max() < 256 else colours >> 8).astype(np.uint8)


def _lab(values: np.ndarray, page: tifffile.TiffPage) -> np.ndarray:
    """Return L*, a*, b* in 8 bits, a* and b* signed, as TIFF has CIELAB and Pillow takes it."""
    if page.bitspersample == 16:
        values = values.view(np.uint16) >> 8
    pixels: np.ndarray = values.astype(np.uint8)
    if page.photometric == PHOTOMETRIC.ICCLAB:
        pixels[..., 1:] ^= 0x80
    return pixels


def _bands(layout: Layout, blob: bytes) -> Iterator[tuple[int, np.ndarray]]:
    """Yield bands of whole rows, H×W×samples in native type, each with its first row."""
    page = layout.page
    if page.compression == 1 and not page.is_tiled and layout.mode != "YCbCr":
        _cut_strips(page)
    width, height = page.imagewidth, page.imagelength
    rows = min(page.tilelength if page.is_tiled else page.rowsperstrip, height)
    columns = page.tilewidth if page.is_tiled else width
    across, down = math.ceil(width / columns), math.ceil(height / rows)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    if len(page.dataoffsets) < planes * down * across:
        raise ValueError(f"{len(page.dataoffsets)} of {planes * down * across} segments are listed")
    row_bytes = width * page.samplesperpixel * max(1, page.bitspersample // 8)
    together = max(1, _BAND_BYTES // (row_bytes * rows))
    for first in range(0, down, together):
        last = min(first + together, down)
        top = first * rows
        shape = (min(last * rows, height) - top, width, page.samplesperpixel)
        band = np.zeros(shape, layout.dtype)
        for plane, row, column in itertools.product(
            range(planes), range(first, last), range(across)
        ):
            segment = _segment(layout, blob, (plane * down + row) * across + column)
            if segment is None:
                continue
            y, x = row * rows - top, column * columns
            part = segment[: shape[0] - y, : width - x]
            where = band[y : y + part.shape[0], x : x + part.shape[1]]
            if planes > 1:
                where[..., plane] = part[..., 0]
            elif part.shape == shape:
                band = part
            else:
                where[...] = part
        yield top, band


def _cut_strips(page: tifffile.TiffPage) -> None:
    """Cut the strips of an uncompressed page into shorter ones: many have one strip of all."""
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    row_bytes = math.ceil(page.imagewidth * samples * page.bitspersample / 8)
    old, rows = page.rowsperstrip, max(1, _BAND_BYTES // row_bytes)
    if old < page.imagelength or old <= rows:
        return
    offsets, counts = list[int](), list[int]()
    for offset in page.dataoffsets:
        for row in range(0, page.imagelength, rows):
            offsets.append(offset + row * row_bytes)
            counts.append(min(rows, page.imagelength - row) * row_bytes)
    page.rowsperstrip, page.dataoffsets, page.databytecounts = rows, tuple(offsets), tuple(counts)


def _segment(layout: Layout, blob: bytes, index: int) -> np.ndarray | None:
    """Decode a strip or tile, H×W×samples; None where it is left out.

    Raises:
        EOFError: It lies beyond the end of the file.
    """
    page = layout.page
    offset, count = page.dataoffsets[index], page.databytecounts[index]
    if not count:
        return None
    if offset + count > len(blob):
        raise EOFError(f"the file ends in segment {index} of {len(page.dataoffsets)}")
    data = blob[offset : offset + count]
    if layout.mode == "YCbCr" and page.is_subsampled:
        return _full_chroma(page, data, index)
    if page.bitspersample == 24 and layout.dtype.kind == "u":
        return _triples(page, data, index)
    segment, _, _ = page.decode(data, index, jpegtables=page.jpegtables)
    assert segment is not None
    return np.asarray(segment[0])


def _full_chroma(page: tifffile.TiffPage, data: bytes, index: int) -> np.ndarray:
    """Decode a segment of 8-bit YCbCr whose chroma is coarser than its luma.

    Source: TIFF 6.0, section 21: blocks of luma row by row, each followed by its Cb and Cr.
    """
    if page.bitspersample != 8:
        raise NotImplementedError("subsampled YCbCr of 16 bits")
    wide, high = page.subsampling or (1, 1)
    height, width = _segment_size(page, index)
    across, down = math.ceil(width / wide), math.ceil(height / high)
    blocks = _bytes_of(page, data, index, across * down * (wide * high + 2))
    blocks = blocks.reshape(down, across, -1)
    luma = blocks[..., :-2].reshape(down, across, high, wide).swapaxes(1, 2)
    chroma = blocks[..., -2:].repeat(high, axis=0).repeat(wide, axis=1)
    planes = [luma.reshape(down * high, across * wide, 1), chroma]
    return np.concatenate(planes, axis=-1)[:height, :width]


def _triples(page: tifffile.TiffPage, data: bytes, index: int) -> np.ndarray:
    """Decode a segment of 24-bit whole numbers, in the file's byte order, as libtiff has them."""
    height, width = _segment_size(page, index)
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    shape = (height, width, samples, 3)
    parts = _bytes_of(page, data, index, math.prod(shape)).reshape(shape).astype(np.uint32)
    order = (0, 8, 16) if page.parent.byteorder == "<" else (16, 8, 0)
    numbers: np.ndarray = (parts << np.array(order, np.uint32)).sum(axis=-1, dtype=np.uint32)
    return numbers


def _segment_size(page: tifffile.TiffPage, index: int) -> tuple[int, int]:
    """Return height and width of a strip or tile."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    strips = math.ceil(page.imagelength / page.rowsperstrip)
    above = index % strips * page.rowsperstrip
    return min(page.rowsperstrip, page.imagelength - above), page.imagewidth


def _bytes_of(page: tifffile.TiffPage, data: bytes, index: int, size: int) -> np.ndarray:
    """Decompress a segment that tifffile cannot make numbers of."""
    if page.predictor != 1 or page.fillorder != 1:
        raise NotImplementedError(f"{page.bitspersample} bits with a predictor or reversed bits")
    if page.compression != 1:
        data = tifffile.TIFF.DECOMPRESSORS[page.compression](data, out=size)
    if len(data) < size:
        raise EOFError(f"segment {index} ends after {len(data)} of {size} bytes")
    return np.frombuffer(data, np.uint8, size)
