"""Images handed over in Python: lists and data frames, kept in the store as a list of addresses."""

import io
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.archive.listing import Listing
from artcluster.archive.lists import COLUMNS
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.store.layout import LISTS
from artcluster.workflows.archives import fetch_settings
from artcluster.workflows.job import Job

Images: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Any
"""A folder, bucket, glob or list file; files and folders; or a data frame with a column of paths
(`path`, `uri`, …), whose other columns are metadata."""


def as_archive(job: Job, images: Images) -> tuple[Job, str]:
    """Return the address of an archive for images, and the job set up to read it.

    A list is written to `lists/` in the store, under the archive's name: given again with more
    images, it is the same archive grown.

    Raises:
        UsageError: There are no images, or a data frame has no column of paths.
    """
    if isinstance(images, str | os.PathLike):
        return job, os.fspath(images)
    table, column = _table(images, job)
    if not table.num_rows:
        raise UsageError("images: expected files or folders, got an empty list")
    content = io.BytesIO()
    pq.write_table(table, content)
    path = LISTS.path(f"{job.config.archive.id or 'images'}.parquet")
    job.store.write_bytes(path, content.getvalue())
    place = str(job.store.location.child(path))
    config = job.config
    changed: dict[str, Any] = {"archive": config.archive.model_copy(update={"list_column": column})}
    if table.num_columns > 1 and config.metadata.source is None:
        joined = {"source": place, "join": column}
        changed["metadata"] = config.metadata.model_copy(update=joined)
    return replace(job, config=config.model_copy(update=changed)), place


def _table(images: Any, job: Job) -> tuple[pa.Table, str]:
    """Return a table with a column of absolute addresses, and that column's name."""
    if hasattr(images, "__arrow_c_stream__"):
        table = pa.table(images)
        names = {name.lower(): name for name in reversed(table.column_names)}
        wanted = job.config.archive.list_column
        column = next((names[name] for name in (wanted, *COLUMNS) if name in names), None)
        if column is None:
            raise UsageError(
                f"images: expected a data frame with a column of paths named "
                f"{' or '.join(map(repr, COLUMNS))}, got {', '.join(table.column_names)}"
            )
        paths = [None if path is None else _absolute(path) for path in table[column].to_pylist()]
        place = table.column_names.index(column)
        return table.set_column(place, column, pa.array(paths, pa.string())), column
    found = [file for each in images for file in _files(os.fspath(each), job)]
    return pa.table({"path": pa.array(found, pa.string())}), "path"


def _files(place: str, job: Job) -> list[str]:
    """Return a file's address, or those of a folder's files; a URI of a folder ends in '/'."""
    address = _absolute(place)
    if not (place.endswith("/") or Path(address).is_dir()):
        return [address]
    location = Location.parse(address, job.config.archive.options)
    listing = Listing(location, fetch=fetch_settings(job.config), leave_out=[job.store.location])
    return [uri for batch in listing for uri in batch.column("uri").to_pylist()]


def _absolute(path: Any) -> str:
    text = os.fspath(path)
    return text if "://" in text else str(Path(text).expanduser().absolute())
