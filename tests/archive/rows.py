"""Rows for tests of the archive: listings as dictionaries, and rows of the store's tables."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from artcluster.archive import Listing, PartRow
from artcluster.schema import IMAGES

NO_ROWS: list[str] = []


def listed(listing: Listing) -> dict[str, dict[str, Any]]:
    """A whole listing, by path."""
    rows = [row for batch in listing for row in batch.to_pylist()]
    by_path = {row["path"]: row for row in rows}
    assert len(by_path) == len(rows), "a path is listed twice"
    return by_path


def content(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def image(archive_id: str, path: str, **columns: Any) -> dict[str, Any]:
    row = {
        "archive_id": archive_id,
        "path": path,
        "uri": f"/pictures/{path}",
        "scan_id": 1,
        "status": "ok",
        "pixel_policy": "policy",
        "seen_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return row | columns


def images(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), IMAGES.schema)


def embedded(content_ids: Iterable[str]) -> pa.Table:
    return pa.table({"content_id": pa.array(list(content_ids), pa.string())})


def done(archive_id: str, scan_id: int, rows: Iterable[PartRow]) -> pa.Table:
    """What a job writes that embedded these rows, with the hash of the path as content."""
    return images(
        image(
            archive_id,
            row.path,
            scan_id=scan_id,
            size_bytes=row.size_bytes,
            version=row.version,
            content_id=content(row.path),
            seen_at=datetime.now(UTC),
        )
        for row in rows
    )
