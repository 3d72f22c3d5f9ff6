"""JPEG 2000 keeps a picture at several resolutions; smaller ones can be decoded alone."""

_CODING_STYLE = b"\xff\x52"
_LEVELS_OFFSET = 9


def resolution_levels(blob: bytes) -> int:
    """Return how many times a JPEG 2000's resolution can be halved; 0 where it cannot be told.

    Source: ISO/IEC 15444-1, A.6.1: the COD marker's number of decomposition levels.

    >>> resolution_levels(b"..." + _CODING_STYLE + bytes([0, 12, 0, 0, 0, 1, 1, 5]))
    5
    """
    at = blob.find(_CODING_STYLE) + _LEVELS_OFFSET
    return blob[at] if _LEVELS_OFFSET <= at < len(blob) else 0
