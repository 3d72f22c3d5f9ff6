"""Refusing Ray's Arrow extension types before any of a Parquet file is read.

To read such types has executed pickles that lie in the file (GHSA-mw35-8rx3-xf9r), and opening a
file, were it only for its row count, parses the Arrow schema in its footer. So the footer's bytes
are looked at first. Anything that reads Parquet which others may have written asks here.
"""

import base64
import binascii
import re

from artcluster.errors import ArtclusterError

_TRAILER = 8
_MAGIC = b"PAR1"

# Thrift's compact protocol: the value follows its key as a binary field with a varint length.
_STORED_SCHEMA = re.compile(rb"ARROW:schema(?:\x18([\x80-\xff]*[\x00-\x7f]))?", re.DOTALL)


class NotParquetError(ArtclusterError):
    """The bytes are not the end of a Parquet file, or hold a type that is not read."""


def footer_bytes(tail: bytes) -> int:
    """Return the length of a file's footer with its trailer, from the last 8 bytes or more.

    Raises:
        NotParquetError: These are not the last bytes of a Parquet file.
    """
    if len(tail) < _TRAILER or tail[-4:] != _MAGIC:
        raise NotParquetError("Expected a Parquet file, got something else, or half of one.")
    return int.from_bytes(tail[-_TRAILER:-4], "little") + _TRAILER


def refuse_extension_types(footer: bytes) -> None:
    """Refuse a Parquet file whose stored Arrow schema names a type of Ray.

    Args:
        footer: The last `footer_bytes` bytes of the file.

    Raises:
        NotParquetError: It names one, or its schema cannot be told.
    """
    for found in _STORED_SCHEMA.finditer(footer):
        if found[1] is None:
            raise NotParquetError("The Parquet file's Arrow schema is stored in an unknown way.")
        length = sum((byte & 0x7F) << (7 * index) for index, byte in enumerate(found[1]))
        try:
            schema = base64.b64decode(footer[found.end() : found.end() + length], validate=True)
        except binascii.Error:
            raise NotParquetError("The Parquet file's Arrow schema is not readable.") from None
        if b"ARROW:extension:name" in schema and b"ray." in schema:
            raise NotParquetError(
                "The Parquet file holds an extension type of Ray, which is not read: reading such "
                "types can execute code. Write the column as a plain list."
            )
