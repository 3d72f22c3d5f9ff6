"""Why a picture's bytes could not be used: codes that tables and reports count by."""

import re
import struct
from dataclasses import dataclass

from PIL import Image

ADVICE = {
    "unread": "The file could not be read from its disk or server, which says nothing about the "
    "picture: the next job tries again. Check permissions and the disk, or leave the file out with "
    "archive.exclude.",
    "empty": "The file has no bytes: copy it again from its source.",
    "not-an-image": "No known image format: often a web page or a text saved under a picture's "
    "name. Fetch it again or leave it out.",
    "truncated": "The file ends before the picture does: copy it again from its source.",
    "corrupt": "The bytes contradict their format: copy it again, or save it anew from an editor.",
    "unsupported": "An image of a format or variant that is not read. Convert it to TIFF, PNG or "
    "JPEG; where the detail names an extra, install it: `pip install 'artcluster[heif]'`.",
    "too-large": "More pixels than the policy's max_pixels: raise it, if the picture is wanted.",
    "out-of-memory": "Decoding needs more memory than the decoder may take: raise its memory "
    "limit, or use a smaller copy.",
    "timeout": "Decoding took longer than the time limit: raise it, or use a smaller copy.",
    "decoder-crash": "The bytes kill the native decoder: save the picture anew from an editor.",
}
"""What a person can do about each reason."""


REASONS = tuple(ADVICE)


_DETAIL_LENGTH = 500

_FORMAT_LENGTH = 40

LARGEST_SIDE = 2**31 - 1
"""In pixels, of what tables hold."""


_MESSAGES = (
    ("out-of-memory", r"allocate memory|out of memory|not enough memory|cannot allocate"),
    ("truncated", r"truncat|unexpected end|premature|end of file|\beof\b|buffer is not large"),
    (
        "unsupported",
        r"unsupported|not supported|unknown pixel mode|unknown compression|cannot handle|"
        r"not available|not installed|not implemented|unrecognized image mode|conversion from|"
        r"unknown raw mode|wrong mode|password|opening failed\. \(?\d|^KeyError: \d",
    ),
)


@dataclass(frozen=True)
class Reject:
    """A fact about bytes under a pixel policy.

    Attributes:
        stage: Where the picture was refused: "identify" (its header) or "decode" (its pixels).
        reason: One of `REASONS`.
        detail: The decoder's words.
    """

    stage: str
    reason: str
    detail: str

    def __post_init__(self) -> None:
        assert self.reason in ADVICE, self.reason
        object.__setattr__(self, "detail", _words(self.detail))


_BYTES = re.compile(r"""\bb(?P<quote>['"])(?P<bytes>.*?)(?P=quote)""")

_CHUNKS = frozenset(
    {
        *("IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM", "gAMA", "iCCP", "sBIT", "sRGB", "tEXt"),
        *("zTXt", "iTXt", "bKGD", "hIST", "pHYs", "sPLT", "eXIf", "tIME", "acTL", "fcTL", "fdAT"),
    }
)


def _words(detail: str) -> str:
    """Return a decoder's words, short, printable, and without bytes of the file.

    >>> _words("broken PNG file (bad header checksum in b'IDAT')\\n")
    "broken PNG file (bad header checksum in b'IDAT')"
    >>> _words("Token too long: b'root:x:0'")
    'Token too long: …'
    """
    detail = detail[: 4 * _DETAIL_LENGTH].strip()
    detail = _BYTES.sub(lambda found: found[0] if found["bytes"] in _CHUNKS else "…", detail)
    printable = "".join(
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in detail
    )
    return printable[:_DETAIL_LENGTH]


class Refused(Exception):
    """Raised inside a decoder to refuse a picture for a known reason."""

    def __init__(self, reject: Reject) -> None:
        super().__init__(reject.detail)
        self.reject = reject


def reason_of(error: Exception) -> str:
    """Return the code for an exception that a decoder raised over a picture.

    >>> reason_of(OSError("image file is truncated (22 bytes not processed)"))
    'truncated'
    >>> reason_of(OSError("broken data stream when reading image file"))
    'corrupt'
    """
    if isinstance(error, MemoryError):
        return "out-of-memory"
    if isinstance(error, Image.DecompressionBombError):
        return "too-large"
    if isinstance(error, NotImplementedError):
        return "unsupported"
    if isinstance(error, EOFError | struct.error):
        return "truncated"
    return reason_of_message(str(error))


def reason_of_message(message: str) -> str:
    """Return the code for a decoder's message; "corrupt" where it says nothing more telling."""
    for reason, pattern in _MESSAGES:
        if re.search(pattern, message, re.IGNORECASE):
            return reason
    return "corrupt"


def reject_of(stage: str, error: Exception) -> Reject:
    """Return the reject for an exception that a decoder raised over a picture."""
    if isinstance(error, Refused):
        return error.reject
    words = str(error).strip()
    name = type(error).__name__
    return Reject(stage, reason_of(error), f"{name}: {words}" if words else name)


@dataclass(frozen=True)
class ImageInfo:
    """A picture's size and format, and why it was refused if it was.

    Attributes:
        width: Pixels after EXIF rotation; None where the header could not be read, or states more
            than `LARGEST_SIDE`.
        height: As `width`.
        format: By content: JPEG, PNG, …; None where unknown.
        reject: None for a picture that is fine.
        damage: What a picture lacks that is read all the same; None for a sound one.
    """

    width: int | None
    height: int | None
    format: str | None
    reject: Reject | None
    damage: str | None = None

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            side = getattr(self, name)
            if side is not None and not (isinstance(side, int) and 0 <= side <= LARGEST_SIDE):
                object.__setattr__(self, name, None)
        if self.damage is not None:
            object.__setattr__(self, "damage", _words(self.damage))
        if self.format is not None:
            object.__setattr__(self, "format", _words(self.format)[:_FORMAT_LENGTH])
