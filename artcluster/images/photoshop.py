"""Photoshop documents that Pillow does not read: 16 and 32 bits per channel, and PSB.

What is read is the flattened picture that Photoshop saves behind the layers.

Source: Adobe Photoshop File Formats Specification, 2019.
"""

import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from artcluster.images.colour import scale_to_uint8
from artcluster.images.levelled import LevelledPicture

_HEADER = struct.Struct(">4sH6xHIIHH")

_GREY, _RGB, _CMYK = 1, 3, 4

_COLOURS = {_GREY: ("L", 1), _RGB: ("RGB", 3), _CMYK: ("CMYK", 4)}

_RAW, _RUN_LENGTHS = 0, 1

_ICC_PROFILE = 1039


@dataclass(frozen=True)
class _Document:
    large: bool
    channels: int
    height: int
    width: int
    bits: int
    colours: int


def open_photoshop(blob: bytes) -> Image.Image | None:
    """Open a document by its header; None where Pillow reads it.

    Raises:
        NotImplementedError: Its colours or their compression are of a kind that is not read.
        struct.error: The file is cut.
    """
    signature, version, channels, height, width, bits, colours = _HEADER.unpack_from(blob)
    if signature != b"8BPS" or (version == 1 and bits in (1, 8)):
        return None
    document = _Document(version == 2, channels, height, width, bits, colours)
    if colours not in _COLOURS or bits not in (8, 16, 32):
        raise NotImplementedError(f"Photoshop colours {colours} of {bits} bits are not supported")
    at = _HEADER.size
    at += 4 + struct.unpack_from(">I", blob, at)[0]
    length = struct.unpack_from(">I", blob, at)[0]
    profile = _profile(blob[at + 4 : at + 4 + length])
    at += 4 + length
    if document.large:
        at += 8 + struct.unpack_from(">Q", blob, at)[0]
    else:
        at += 4 + struct.unpack_from(">I", blob, at)[0]
    compression = struct.unpack_from(">H", blob, at)[0]
    if compression not in (_RAW, _RUN_LENGTHS):
        raise NotImplementedError(f"Photoshop compression {compression} is not supported")

    def read(_: int) -> Image.Image:
        return _flattened(blob[at + 2 :], document, compression)

    return LevelledPicture("PSD", [(width, height)], read, profile=profile)


def _flattened(data: bytes, document: _Document, compression: int) -> Image.Image:
    mode, count = _COLOURS[document.colours]
    if document.channels < count:
        raise ValueError(f"expected {count} channels, got {document.channels}")
    kind = {8: ">u1", 16: ">u2", 32: ">f4"}[document.bits]
    rows = document.height * document.channels
    if compression == _RUN_LENGTHS:
        data = _expanded(data, rows, document)
    plane = document.height * document.width
    values = np.frombuffer(data, kind, plane * count).reshape(
        count, document.height, document.width
    )
    if document.bits == 8:
        levels = values
    elif document.bits == 16:
        levels = np.stack([scale_to_uint8(each, (65535,)) for each in values])
    else:
        levels = np.stack([scale_to_uint8(np.clip(each, 0, 1), (1,)) for each in values])
    if document.colours == _CMYK:  # Photoshop writes 0 for full ink.
        levels = 255 - levels
    pixels = np.ascontiguousarray(levels.transpose(1, 2, 0))
    return Image.frombytes(mode, (document.width, document.height), pixels.tobytes())


def _expanded(data: bytes, rows: int, document: _Document) -> bytes:
    import imagecodecs

    kind = np.dtype(">u4" if document.large else ">u2")
    lengths = np.frombuffer(data, kind, rows).astype(np.int64)
    row_bytes = document.width * document.bits // 8
    at, found = rows * kind.itemsize, []
    for length in lengths.tolist():
        row = imagecodecs.packbits_decode(data[at : at + length])
        if len(row) != row_bytes:
            raise OSError("truncated: a row of a Photoshop document is not whole")
        found.append(row)
        at += length
    return b"".join(found)


def _profile(resources: bytes) -> bytes | None:
    """Return the ICC profile among a document's resources, if there is one."""
    at = 0
    while at + 12 <= len(resources) and resources[at : at + 4] == b"8BIM":
        number, name_length = struct.unpack_from(">HB", resources, at + 4)
        at += 6 + (name_length + 2) // 2 * 2
        (length,) = struct.unpack_from(">I", resources, at)
        if number == _ICC_PROFILE:
            return resources[at + 4 : at + 4 + length]
        at += 4 + (length + 1) // 2 * 2
    return None
