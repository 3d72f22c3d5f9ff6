"""JPEG 2000: its header, and its pixels by Pillow or, where those are wrong, by imagecodecs.

Source: ISO/IEC 15444-1, annexes A (the codestream) and I (the boxes around it).
"""

import functools
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, Jpeg2KImagePlugin

from artcluster.images.colour import compose, scale_to_uint8
from artcluster.images.levelled import LevelledPicture, Size, without_pixel_limit
from artcluster.images.rejects import Refused, Reject

_CODESTREAM = b"\xff\x4f\xff\x51"

_CODING_STYLE = b"\xff\x52"
_LEVELS_OFFSET = 9

_CMYK, _LAB, _SRGB, _GREY, _YCC, _EXTENDED_YCC = 12, 14, 16, 17, 18, 24

_OPACITIES, _ASSOCIATED = (1, 2), 2


@dataclass(frozen=True)
class Component:
    """A channel of a codestream: its bits, its sign, and the pixels between its samples."""

    bits: int
    signed: bool
    step_x: int
    step_y: int


@dataclass(frozen=True)
class Area:
    """The image area on the reference grid, in pixels; right and bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int

    def size(self, halvings: int) -> Size:
        """Return width and height after the resolution is halved so many times.

        >>> Area(0, 0, 1793, 1792).size(2)
        (449, 448)
        """
        step = 1 << halvings
        edges = [-(-edge // step) for edge in (self.left, self.top, self.right, self.bottom)]
        return edges[2] - edges[0], edges[3] - edges[1]


@dataclass(frozen=True)
class Palette:
    """Colours by index.

    Attributes:
        entries: Colours × columns.
        bits: Of an entry's number.
        channels: Component, whether it is an index, and column, of each channel.
    """

    entries: np.ndarray
    bits: int
    channels: tuple[tuple[int, bool, int], ...]

    def spread(self, values_HWC: np.ndarray) -> np.ndarray:
        """Return the channels that the components stand for."""
        most = len(self.entries) - 1
        return np.stack(
            [
                self.entries[np.minimum(values_HWC[..., component], most), column]
                if is_index
                else values_HWC[..., component]
                for component, is_index, column in self.channels
            ],
            axis=-1,
        )


@dataclass(frozen=True)
class Colours:
    """What the boxes say of the channels.

    Attributes:
        space: Enumerated colour space.
        parameters: What follows its number, which only CIELAB has.
        profile: ICC profile.
        palette: What the codestream's numbers stand for, if not colours.
        channels: Number, type and association of channels, as stated.
    """

    space: int | None = None
    parameters: bytes = b""
    profile: bytes | None = None
    palette: Palette | None = None
    channels: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class Header:
    """What a JPEG 2000 says of itself; `start` is where its codestream begins."""

    start: int
    area: Area
    components: tuple[Component, ...]
    resolutions: int
    colours: Colours = field(default_factory=Colours)

    @property
    def is_cmyk(self) -> bool:
        """Whether the colours are inks, by number or by profile."""
        profile = self.colours.profile
        return self.colours.space == _CMYK or (profile or b"")[16:20] == b"CMYK"


def open_jpeg_2000(blob: bytes) -> LevelledPicture:
    """Open a JPEG 2000 by its header.

    Raises:
        Refused: Its channels are of a kind that is not read.
        Exception: The header is broken.
    """
    header = read_header(blob)
    levels = [header.area.size(0)]
    read = functools.partial(_by_imagecodecs, blob, header)
    if _pillow_reads_right(header):
        read = functools.partial(_by_pillow, blob, header)
        # Pillow takes the offset of an image for one of its tiles where it halves.
        if not (header.area.left or header.area.top):
            halved = (header.area.size(each + 1) for each in range(header.resolutions))
            levels += [size for size in halved if min(size) > 0]
    else:
        _check_readable(header)
    return LevelledPicture("JPEG2000", levels, read, profile=header.colours.profile)


def _pillow_reads_right(header: Header) -> bool:
    """Return whether Pillow's pixels are right, as far as is known."""
    components, colours = header.components, header.colours
    kinds = set(components)
    if len(kinds) != 1 or colours.palette is not None or header.is_cmyk != (colours.space == _CMYK):
        return False
    (kind,) = kinds
    if kind.signed or (kind.step_x, kind.step_y) != (1, 1):
        return False
    count = len(components)
    if not (kind.bits == 8 or (count == 1 and 10 <= kind.bits <= 16)):
        return False
    colour_count = {1: 1, 2: 1, 3: 3, 4: 4 if header.is_cmyk else 3}.get(count)
    by_space = {None: (1, 2, 3, 4), _GREY: (1, 2), _SRGB: (3, 4), _YCC: (3, 4), _CMYK: (4,)}
    if colour_count is None or count not in by_space.get(colours.space, ()):
        return False
    plain = [(number, 0, number + 1) for number in range(colour_count)]
    plain += [(number, 1, 0) for number in range(colour_count, count)]
    return not colours.channels or sorted(colours.channels) == plain


def _by_pillow(blob: bytes, header: Header, level: int) -> Image.Image:
    try:
        with without_pixel_limit():
            image = Image.open(io.BytesIO(blob), formats=["JPEG2000"])
        assert isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile)
        if level:
            image.reduce = level
            # Pillow divides and rounds, where the standard has the ceiling: this size leads there.
            width, height = header.area.size(level)
            image._size = (width << level, height << level)
        image.load()
    except OSError:
        if level:
            raise
        # Pillow refuses boxes, and tiles, that OpenJPEG, which is behind both, can read.
        return _by_imagecodecs(blob, header, level)
    return image


def _check_readable(header: Header) -> None:
    kinds = {(each.bits, each.signed) for each in header.components}
    if len(kinds) != 1:
        raise _refuse("channels of different depths are not read")
    steps = {(each.step_x, each.step_y) for each in header.components}
    if len(steps) != 1 and len(header.components) != 3:
        raise _refuse(f"{len(header.components)} channels of different resolution are not read")
    if len(header.components) > 4 and not header.colours.channels:
        raise _refuse(f"{len(header.components)} channels of no stated meaning are not read")


def _refuse(detail: str) -> Refused:
    return Refused(Reject("identify", "unsupported", f"JPEG 2000: {detail}"))


def _by_imagecodecs(blob: bytes, header: Header, level: int) -> Image.Image:
    """Return all channels in 8 bits; boxes are applied here, of which imagecodecs does a part."""
    # Only pictures that need it pay for the import.
    import imagecodecs

    assert level == 0, level

    colours = header.colours
    values = imagecodecs.jpeg2k_decode(blob[header.start :])
    values = values[..., np.newaxis] if values.ndim == 2 else values
    bits, space = header.components[0].bits, colours.space
    if header.components[0].signed:
        values = values.astype(np.int32) + (1 << (bits - 1))
    if len({(each.step_x, each.step_y) for each in header.components}) > 1:
        space = _SRGB  # imagecodecs has converted coarser chroma
    if colours.palette is not None:
        values, bits = colours.palette.spread(values), colours.palette.bits
    count = values.shape[-1]
    order, alpha, associated = _meaning(count, header)
    mode = {_LAB: "LAB", _YCC: "YCbCr", _EXTENDED_YCC: "YCbCr"}.get(space or 0, "RGB")
    if header.is_cmyk:
        mode = "CMYK"
    elif len(order) < 3:
        mode, order = "L", order[:1]
    if mode == "LAB":
        pixels = _lab(values[..., order], bits, colours.parameters)
    else:
        pixels = _levels(values[..., order], bits, deep=mode == "L")
    opacity = None if alpha is None else _levels(values[..., [alpha]], bits, deep=False)
    return compose(pixels, mode, opacity, associated=associated, profile=colours.profile)


def _meaning(count: int, header: Header) -> tuple[list[int], int | None, bool]:
    """Return the places of the colours in their order, of alpha, and whether it is associated."""
    channels = [each for each in header.colours.channels if each[0] < count]
    if not channels:
        if count not in (2, 4) or header.is_cmyk:
            return list(range(count)), None, False
        return list(range(count - 1)), count - 1, False
    order = [number for number, kind, _ in sorted(channels, key=lambda each: each[2]) if not kind]
    opacities = [each for each in channels if each[1] in _OPACITIES]
    if not opacities:
        return order, None, False
    return order, opacities[0][0], opacities[0][1] == _ASSOCIATED


def _levels(values: np.ndarray, bits: int, *, deep: bool) -> np.ndarray:
    """Return samples in 8 bits; colours are rounded as Pillow does, white stays white."""
    if bits == 8:
        return values.astype(np.uint8)
    if bits < 8 or deep:
        return scale_to_uint8(values, (2**bits - 1,), (0.0, 2.0**bits - 1))
    shift = bits - 8
    rounded = (values.astype(np.int64) + (1 << (shift - 1))) >> shift
    levels: np.ndarray = np.clip(rounded, 0, 255).astype(np.uint8)
    return levels


def _lab(values: np.ndarray, bits: int, parameters: bytes) -> np.ndarray:
    """Return CIELAB in 8 bits, a* and b* signed.

    Source: ISO/IEC 15444-2, M.11.7.4.1: ranges and offsets, and what they are where none is given.
    """
    top = 2**bits - 1
    ranges, offsets = [100, 170, 200], [0, 1 << (bits - 1), (1 << (bits - 2)) + (1 << (bits - 3))]
    if len(parameters) >= 24:
        numbers = struct.unpack_from(">6I", parameters)
        ranges, offsets = list(numbers[0::2]), list(numbers[1::2])
    lab = (values - np.array(offsets)) * np.array(ranges) / top
    lab[..., 0] *= 2.55
    lowest = np.array([0, -128, -128])
    levels: np.ndarray = np.clip(np.rint(lab), lowest, lowest + 255)
    return levels.astype(np.int16).astype(np.uint8)


def read_header(blob: bytes) -> Header:
    """Return what the codestream and the boxes around it say."""
    colours, start = Colours(), 0
    if not blob.startswith(_CODESTREAM):
        for kind, body, at in _boxes(blob, 0, len(blob)):
            if kind == b"jp2h":
                colours = _read_colours(blob, at, at + len(body))
            elif kind == b"jp2c":
                start = at
                break
    if not blob.startswith(_CODESTREAM, start):
        raise ValueError("JPEG 2000 without a codestream")
    right, bottom, left, top = struct.unpack_from(">4I", blob, start + 8)
    (count,) = struct.unpack_from(">H", blob, start + 40)
    components = []
    for number in range(count):
        size, step_x, step_y = struct.unpack_from(">3B", blob, start + 42 + 3 * number)
        components.append(Component((size & 0x7F) + 1, bool(size & 0x80), step_x, step_y))
    levels = blob.find(_CODING_STYLE, start) + _LEVELS_OFFSET
    resolutions = blob[levels] if _LEVELS_OFFSET <= levels < len(blob) else 0
    area = Area(left, top, right, bottom)
    return Header(start, area, tuple(components), min(resolutions, 32), colours)


def _boxes(blob: bytes, at: int, end: int) -> Iterator[tuple[bytes, memoryview, int]]:
    """Yield type, body and its place of each box between two places."""
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", blob, at)
        body = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", blob, body)
            body += 8
        after = at + length if length else end
        if after < body:
            raise ValueError("JPEG 2000 with a box of no length")
        yield kind, memoryview(blob)[body : min(after, end)], body
        at = after


def _read_colours(blob: bytes, at: int, end: int) -> Colours:
    """Return what the header box says of colours."""
    space, parameters, profile = None, b"", None
    entries: np.ndarray | None = None
    bits, mapping, channels = 8, list[tuple[int, bool, int]](), list[tuple[int, int, int]]()
    for kind, body, _ in _boxes(blob, at, end):
        if kind == b"colr" and space is None and profile is None:
            method = body[0]
            if method == 1:
                (space,) = struct.unpack_from(">I", body, 3)
                parameters = bytes(body[7:])
            elif method in (2, 3):
                profile = bytes(body[3:])
        elif kind == b"pclr":
            count, columns = struct.unpack_from(">HB", body)
            depths = [(depth & 0x7F) + 1 for depth in body[3 : 3 + columns]]
            bits = depths[0]
            if len(set(depths)) != 1 or bits > 16:
                raise _refuse("a palette of different depths is not read")
            number = np.uint8 if bits <= 8 else np.dtype(">u2")
            entries = np.frombuffer(body, number, count * columns, 3 + columns)
            entries = entries.reshape(count, columns)
        elif kind == b"cmap":
            for component, is_index, column in struct.iter_unpack(">HBB", body):
                mapping.append((component, bool(is_index), column))
        elif kind == b"cdef":
            channels = list(struct.iter_unpack(">3H", body[2:]))
    palette = None
    if entries is not None:
        mapping = mapping or [(0, True, column) for column in range(entries.shape[1])]
        palette = Palette(entries, bits, tuple(mapping))
    return Colours(space, parameters, profile, palette, tuple(channels))
