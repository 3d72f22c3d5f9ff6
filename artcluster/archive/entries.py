"""The rows of a listing: what is known of a file before its bytes are read."""

import os
from collections.abc import Iterator
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa

ENTRIES = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("size_bytes", pa.int64()),
        pa.field("version", pa.string()),
    ]
)
"""One listed file: path below the archive's root ('/' between folders), where its bytes lie,
its size, and its change marker (etag, else modification time in nanoseconds). Size and version
are null where a list of addresses is taken without asking for them."""

BATCH_ROWS = 8192

_UNDECODABLE = "file://localhost"


class EntryBuffer:
    """Collects entries and hands them out as record batches of bounded size."""

    def __init__(self) -> None:
        self._clear()

    def add(self, path: str, uri: str, size_bytes: int | None, version: str | None) -> None:
        """Append one entry."""
        self._paths.append(path)
        self._uris.append(uri)
        self._sizes.append(size_bytes)
        self._versions.append(version)

    def full(self) -> Iterator[pa.RecordBatch]:
        """Yield the batch if it is full."""
        if len(self._paths) >= BATCH_ROWS:
            yield from self.rest()

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Yield what is left, if anything."""
        if self._paths:
            columns = [self._paths, self._uris, self._sizes, self._versions]
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, ENTRIES, strict=True)
            ]
            self._clear()
            yield pa.record_batch(arrays, schema=ENTRIES)

    def _clear(self) -> None:
        self._paths: list[str] = []
        self._uris: list[str] = []
        self._sizes: list[int | None] = []
        self._versions: list[str | None] = []


def is_text(name: str) -> bool:
    """Tell whether a name from a local disk is valid Unicode, so that a table can hold it.

    >>> is_text("Dürer.jpg"), is_text(os.fsdecode(b"D\\xfcrer.jpg"))
    (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    r"""Return a name with the bytes that are not valid UTF-8 percent-escaped.

    >>> printable(os.fsdecode(b"D\xfcrer 100%.jpg"))
    'D%FCrer 100%.jpg'
    """
    return "".join(
        f"%{ord(char) - 0xDC00:02X}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in name
    )


def local_uri(file: str) -> str:
    r"""Return where a local file lies: its plain path, or a file URI if that is not valid UTF-8.

    Only names that are not valid UTF-8 get a URI, told from plain paths by its host.

    >>> local_uri("/a/100% #1.jpg")
    '/a/100% #1.jpg'
    >>> local_uri(os.fsdecode(b"/a/D\xfcrer.jpg"))
    'file://localhost/a/D%FCrer.jpg'
    """
    return file if is_text(file) else _UNDECODABLE + quote(os.fsencode(file))


def local_file(uri: str) -> str:
    r"""Return the local file that `local_uri` named.

    >>> local_file("file://localhost/a/D%FCrer.jpg") == os.fsdecode(b"/a/D\xfcrer.jpg")
    True
    """
    if not uri.startswith(_UNDECODABLE):
        return uri
    return os.fsdecode(unquote_to_bytes(uri.removeprefix(_UNDECODABLE)))
