"""What bytes are that no decoder took: formats that are not read, and files that are no pictures.

No byte of a file reaches what is returned here: a list may name any file, and tables and pages
show what was found.
"""

import re
import struct
import zlib

_SNIFFED_BYTES = 1 << 16

_FORMATS = (
    ("HEIC", rb"....ftyp(?:hei|hev|mif|msf)", "the extra `heif`"),
    ("JPEG XR", rb"II\xbc[\x00\x01]", ""),
    ("PDF", rb"\s{0,64}%PDF", "the extra `pdf`"),
    ("EPS", rb"%!PS|\xc5\xd0\xd3\xc6", ""),
    ("OpenEXR", rb"\x76\x2f\x31\x01", ""),
    ("Radiance HDR", rb"#\?R(?:ADIANCE|GBE)", ""),
    ("DICOM", rb".{128}DICM", "the extra `dicom`"),
    ("DjVu", rb"AT&TFORM", ""),
    (
        "camera raw",
        rb"....ftypcrx|II\x1a\x00\x00\x00HEAPCCDR|FUJIFILMCCD-RAW|II(?:RO|RS)|MMOR|IIU\x00|\x00MRM",
        "",
    ),
    ("PICT", rb".{522}\x00\x11\x02\xff", ""),
    ("Netpbm PAM", rb"P7\s", ""),
    ("GIMP XCF", rb"gimp xcf", ""),
    ("Windows metafile", rb"\xd7\xcd\xc6\x9a|\x01\x00\x00\x00.{36} EMF", ""),
    (
        "Krita or OpenRaster",
        rb"PK\x03\x04.{26}mimetype(?:application/x-krita|image/openraster)",
        "",
    ),
)

_FORMATS_READ_TOO = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("TIFF", rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+"),
    ("WebP", rb"RIFF....WEBP"),
    ("JPEG 2000", rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"),
    ("AVIF", rb"....ftyp(?:avif|avis)"),
    ("HEIC", rb"....ftyp(?:hei|hev|mif|msf)"),
    ("JPEG XL", rb"\xff\x0a|\x00\x00\x00\x0cJXL "),
    ("JPEG-LS", rb"\xff\xd8\xff\xf7"),
)

_OTHERS = (
    ("a web page", rb"(?i)\s{0,64}<(?:!doctype html|html|head|body)"),
    ("an XML text", rb"\s{0,64}<\?xml"),
    ("a ZIP archive or an office document", rb"PK\x03\x04"),
    ("a gzip archive", rb"\x1f\x8b"),
    ("a 7z archive", rb"7z\xbc\xaf\x27\x1c"),
    ("a RAR archive", rb"Rar!"),
    ("an office document", rb"\xd0\xcf\x11\xe0"),
    ("a video", rb"....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI "),
    ("a sound", rb"RIFF....WAVE|ID3|fLaC|OggS"),
    ("a program", rb"\x7fELF|MZ"),
    ("a Git LFS pointer in place of the file", rb"version https://git-lfs"),
)


def unread_format(blob: bytes) -> tuple[str, str] | None:
    """Return the name of a picture's format that is not read and what would read it, or None.

    >>> unread_format(b"%PDF-1.7")
    ('PDF', 'the extra `pdf`')
    """
    if is_svg(blob):
        return "SVG", ""
    head = blob[:_SNIFFED_BYTES]
    for name, pattern, needs in _FORMATS:
        if re.match(pattern, head, re.DOTALL):
            return name, needs
    return None


def may_be_netpbm(blob: bytes) -> bool:
    """Return whether a file begins as a PBM, PGM, PPM or PFM does, which many texts nearly do.

    >>> may_be_netpbm(b"P6\\n# by hand\\n2 2 255\\n"), may_be_netpbm(b"P1 code: 12")
    (True, False)
    """
    return re.match(rb"P[1-6Ff]\s(?:\s*#[^\n]*\n)*\s*-?\d", blob[:_SNIFFED_BYTES]) is not None


def is_photo_cd(blob: bytes) -> bool:
    """Return whether a file is an image pack of a Photo CD."""
    return blob[2048:2052] == b"PCD_"


def may_be_tga(blob: bytes) -> bool:
    """Return whether a file may be a TGA, which has no signature: its header, and its length.

    Source: Truevision TGA File Format Specification 2.0.
    """
    if len(blob) < _TGA_HEADER.size:
        return False
    fields: tuple[int, ...] = _TGA_HEADER.unpack(blob[: _TGA_HEADER.size])
    id_length, map_type, kind, map_length, map_bits, width, height, bits, _ = fields
    if map_type > 1 or kind not in (1, 2, 3, 9, 10, 11) or not width or not height:
        return False
    if bits not in (1, 8, 15, 16, 24, 32) or (kind in (1, 9)) > map_type:
        return False
    start = _TGA_HEADER.size + id_length + map_type * map_length * ((map_bits + 7) // 8)
    pixels = width * height * bits // 8
    # A run of an encoded one covers 128 pixels at most.
    return len(blob) - start >= (pixels // 2 if kind < 8 else pixels // 300)


_TGA_HEADER = struct.Struct("<BBB2xHBxxxxHHBB")


def known_format(blob: bytes) -> str | None:
    """Return the name of a format that is read, by its first bytes; None if it is none of those."""
    for name, pattern in _FORMATS_READ_TOO:
        if re.match(pattern, blob[:64], re.DOTALL):
            return name
    return None


def kind_of(blob: bytes) -> str:
    """Say in words what a file is that holds no picture.

    >>> kind_of(b"root:x:0:0:root:/root:/bin/sh")
    'a text'
    """
    head = blob[:_SNIFFED_BYTES]
    for words, pattern in _OTHERS:
        if re.match(pattern, head, re.DOTALL):
            return words
    if not head.strip(b"\x00"):
        return "nothing but zeros"
    try:
        text = head[:1024].decode("utf-8", errors="strict" if len(head) < 1024 else "ignore")
    except UnicodeDecodeError:
        return "bytes of no known format"
    plain = all(each.isprintable() or each.isspace() for each in text)
    return "a text" if plain else "bytes of no known format"


def is_cut(blob: bytes) -> bool:
    """Return whether a file is shorter than its own boxes say: WebP, AVIF, HEIC and JPEG 2000.

    A codestream of JPEG 2000 outside a box ends with a marker instead.
    """
    if blob[:4] == b"RIFF":
        return 8 + int.from_bytes(blob[4:8], "little") > len(blob)
    if blob[:4] == b"\xff\x4f\xff\x51":
        return not blob.endswith(b"\xff\xd9")
    if blob[4:8] not in (b"ftyp", b"jP  "):
        return False
    at = 0
    while at + 8 <= len(blob):
        length = int.from_bytes(blob[at : at + 4], "big")
        if length == 1:
            length = int.from_bytes(blob[at + 8 : at + 16], "big")
        if length == 0:
            return blob[4:8] == b"jP  " and not blob.endswith(b"\xff\xd9")
        if length < 8:
            return False
        at += length
    return at != len(blob)


_SPACE = re.compile(rb"\s*")

_SVG = re.compile(rb"<(?:\w{1,32}:)?svg[\s>]")

_PROLOGUE = ((b"<?", b"?>"), (b"<!--", b"-->"), (b"<!DOCTYPE", b">"))


def is_svg(blob: bytes) -> bool:
    """Return whether a file is an SVG, plain or compressed. Takes time linear in 64 KiB at most.

    >>> is_svg(b"<?xml version='1.0'?>" + b"<!-- a -->" * 5000 + b"<svg>")
    True
    """
    head = blob[:_SNIFFED_BYTES]
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(head, _SNIFFED_BYTES)
        except zlib.error:
            return False
    head = head.removeprefix(b"\xef\xbb\xbf")
    at = 0
    while True:
        at = _end_of_space(head, at)
        for start, end in _PROLOGUE:
            if head.startswith(start, at):
                at = _after(head, at, end)
                break
        else:
            return _SVG.match(head, at) is not None


def _end_of_space(head: bytes, at: int) -> int:
    found = _SPACE.match(head, at)
    return at if found is None else found.end()


def _after(head: bytes, at: int, end: bytes) -> int:
    """Return where a part of an XML's prologue ends; the end of all where it does not."""
    if end == b">" and b"[" in head[at : head.find(end, at) + 1]:
        end = b"]>"
    found = head.find(end, at)
    return len(head) if found < 0 else found + len(end)
