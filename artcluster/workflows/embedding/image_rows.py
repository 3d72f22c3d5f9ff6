"""Rows of the table `images` for a part's files: no value that comes from a file can stop a job."""

from datetime import datetime
from typing import Any

import pyarrow as pa

from artcluster.archive.parts import Part, PartRow
from artcluster.archive.readers import FetchedFile
from artcluster.images.rejects import ImageInfo, Reject
from artcluster.location import redact
from artcluster.schema import IMAGES

_FROM_THE_FILE = ("width", "height", "format", "version")

_UNFIT = Reject("decode", "corrupt", "the file states a value that no table can hold")


def image_row(
    part: Part,
    row: PartRow,
    file: FetchedFile,
    info: ImageInfo | None,
    pixel_policy: str,
    seen_at: datetime,
) -> dict[str, Any]:
    """Return the row of one file.

    Args:
        part: What the file was read for.
        row: The file as it was listed.
        file: What came of reading it.
        info: What came of decoding it; None where it was not read.
        pixel_policy: Under which it was decoded.
        seen_at: When.
    """
    gone = file.outcome == "gone"
    reject = None if info is None else info.reject
    return {
        "archive_id": part.archive_id,
        "path": row.path,
        "uri": redact(row.uri),
        "scan_id": part.scan_id,
        "size_bytes": row.size_bytes if gone else file.size_bytes,
        "version": row.version if gone else file.version,
        "content_id": file.content_id,
        "width": None if info is None else info.width,
        "height": None if info is None else info.height,
        "format": None if info is None else info.format,
        "status": "removed" if gone else "ok" if reject is None else "rejected",
        **_why(reject),
        "pixel_policy": pixel_policy,
        "seen_at": seen_at,
    }


def images_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return a part's rows as a table; a row that cannot be built becomes its file's reject."""
    try:
        return pa.Table.from_pylist(rows, IMAGES.schema)
    except _CANNOT_BE_BUILT:
        return pa.concat_tables(map(_row_table, rows))


_CANNOT_BE_BUILT = (pa.ArrowException, ValueError, TypeError, OverflowError)


def _row_table(row: dict[str, Any]) -> pa.Table:
    try:
        return pa.Table.from_pylist([row], IMAGES.schema)
    except _CANNOT_BE_BUILT:
        without = row | dict.fromkeys(_FROM_THE_FILE) | {"status": "rejected"} | _why(_UNFIT)
        return pa.Table.from_pylist([without], IMAGES.schema)


def _why(reject: Reject | None) -> dict[str, str | None]:
    return {
        "stage": None if reject is None else reject.stage,
        "reason": None if reject is None else reject.reason,
        "detail": None if reject is None else redact(reject.detail),
    }
