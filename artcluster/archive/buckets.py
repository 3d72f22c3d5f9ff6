"""Listing object storage page by page: S3, Google Cloud Storage, Azure."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import obstore
import pyarrow as pa
from obstore.exceptions import BaseError, InvalidPathError

from artcluster.archive.entries import EntryBuffer, Selection, Tally
from artcluster.errors import ArchiveError
from artcluster.location import Location, redact
from artcluster.location.credentials import FAMILIES


def walk_filesystem(
    location: Location,
    selection: Selection,
    tally: Tally,
    leave_out: Collection[str] = (),
    after: str = "",
) -> Iterator[pa.RecordBatch]:
    """List all files below a location, a folder at a time.

    Args:
        location: Any protocol fsspec knows.
        selection: Which files to list.
        tally: Where to count what is left out.
        leave_out: Paths below the location that are not listed: a store inside the archive.
        after: Leave out what an ordered listing gave already: paths up to this one, by bytes.

    Raises:
        ArchiveError: The listing broke off.
    """
    filesystem, root = location.fsspec()
    base = root.rstrip("/")
    done = after.encode()
    buffer = EntryBuffer()
    try:
        if not filesystem.exists(root):
            raise FileNotFoundError("there is no such folder")
        for folder, folders, files in filesystem.walk(root, detail=True, on_error="raise"):
            relative = _relative(folder, base)
            _prune(folders, relative, selection, tally, leave_out)
            for name, info in sorted(files.items()):
                path = f"{relative}/{name}" if relative else name
                if done and path.encode() <= done:
                    continue
                if not name or info["name"].endswith("/"):
                    tally.skip("folder-marker", path)
                    continue
                refusal = selection.refusal(path)
                if refusal:
                    tally.skip(refusal, path)
                    continue
                size = info.get("size")
                size_bytes = None if size is None else int(size)
                buffer.add(path, _uri(location, path), size_bytes, info_version(info))
                yield from buffer.full()
            filesystem.invalidate_cache(folder)
    except Exception as error:
        raise ArchiveError(
            f"Cannot list {location}: {redact(str(error)) or type(error).__name__}. Nothing of "
            "this listing is used, since it would be incomplete. Check the address, the "
            "credentials and the network."
        ) from error
    yield from buffer.rest()


def info_version(info: Mapping[str, Any]) -> str | None:
    """Return the change marker of an fsspec `info`: an etag or checksum, else the time in ns.

    >>> info_version({"ETag": '"0f3a"', "size": 1}), info_version({"mtime": 1.5})
    ('0f3a', '1500000000')
    """
    for key in ("ETag", "etag", "md5Hash", "content_md5", "sha256", "md5", "checksum", "CRC"):
        if info.get(key):
            return str(info[key]).removeprefix("W/").strip('"')
    for key in ("mtime", "LastModified", "last_modified", "modified", "created", "date_time"):
        found = info.get(key)
        if isinstance(found, datetime):
            return str(round(found.timestamp() * 1_000_000) * 1000)
        if isinstance(found, int | float):
            return str(round(found * 1_000_000_000))
        if found:
            return str(found)
    return None


def _prune(
    folders: dict[str, Any],
    relative: str,
    selection: Selection,
    tally: Tally,
    leave_out: Collection[str],
) -> None:
    """Take out of fsspec's mapping the folders not to look into, which it then passes over."""
    for name in list(folders):
        path = f"{relative}/{name}" if relative else name
        if path in leave_out:
            tally.skip("store", path)
        elif not selection.enters(name):
            tally.skip("hidden", path)
        else:
            continue
        del folders[name]


def _relative(folder: str, base: str) -> str:
    return folder.strip("/").removeprefix(base.strip("/")).strip("/")


def _uri(location: Location, path: str) -> str:
    return location.child(path).uri


_PAGE_ROWS = 1000


def walk_bucket(
    location: Location,
    selection: Selection,
    tally: Tally,
    leave_out: Collection[str] = (),
) -> Iterator[pa.RecordBatch]:
    """List all objects below a location, as the storage pages them.

    object_store refuses a whole page that holds a key with a control character or an empty
    folder name. From there on S3's own pages are read, and other storage through fsspec, a folder
    at a time.

    Args:
        location: Bucket and prefix.
        selection: Which files to list.
        tally: Where to count what is left out.
        leave_out: Paths below the location that are not listed: a store inside the archive.

    Raises:
        ArchiveError: The listing broke off.
    """
    last = ""
    buffer = EntryBuffer()
    flat = FAMILIES.get(location.protocol) == "AWS"
    try:
        if flat and _has_leading_slash(location):
            raise InvalidPathError
        for path, size_bytes, version in _objects(location, tally):
            last = path
            _take(location, selection, tally, leave_out, buffer, path, size_bytes, version)
            yield from buffer.full()
    except InvalidPathError:
        if not flat:
            yield from buffer.rest()
            yield from walk_filesystem(location, selection, tally, leave_out, after=last)
            return
        for path, size_bytes, version in _keys(location, tally, after=last):
            _take(location, selection, tally, leave_out, buffer, path, size_bytes, version)
            yield from buffer.full()
    except BaseError as error:
        raise _broke_off(location, error) from error
    yield from buffer.rest()


def _broke_off(location: Location, error: Exception) -> ArchiveError:
    return ArchiveError(
        f"Cannot list {location}: {first_line(error)}. Nothing of this listing is used, since "
        "it would be incomplete. Check the address, the credentials (a listing needs "
        "permission to list) and the network."
    )


def _has_leading_slash(location: Location) -> bool:
    """Tell whether a bucket's root has keys that begin with a slash, which object_store drops."""
    filesystem, root = location.fsspec()
    if "/" in root.strip("/"):
        return False  # Below a folder it refuses them, as it should.
    try:
        return bool(
            filesystem.call_s3(
                "list_objects_v2", Bucket=root.strip("/"), Prefix="/", MaxKeys=1
            ).get("Contents")
        )
    except Exception as error:
        raise _broke_off(location, error) from error


def _keys(location: Location, tally: Tally, after: str) -> Iterator[tuple[str, int, str | None]]:
    """Yield path, size and version of S3 keys as they are, in one flat listing."""
    filesystem, root = location.fsspec()
    bucket, _, prefix = root.partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    asked = {"Bucket": bucket, "Prefix": prefix}
    if after:
        asked["StartAfter"] = prefix + after
    while True:
        try:
            page = filesystem.call_s3("list_objects_v2", **asked)
        except Exception as error:
            raise _broke_off(location, error) from error
        for entry in page.get("Contents", ()):
            path, size = entry["Key"].removeprefix(prefix), int(entry["Size"])
            if not path or (size == 0 and "." not in path.rpartition("/")[2]):
                tally.skip("folder-marker", path)
            elif {".", ".."} & set(path.split("/")):
                # No file system could hold it, and a path is to lead nowhere else.
                tally.skip("dot-segment", path)
            else:
                yield path, size, info_version(entry)
        if not page.get("IsTruncated"):
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def first_line(error: Exception) -> str:
    """Return the first line of an object store's error, without secrets."""
    return redact(str(error).strip().partition("\n")[0]).rstrip(". ")


def object_version(meta: Any) -> str | None:
    """Return the change marker of an object's metadata: its etag, else its time in ns.

    >>> object_version({"e_tag": '"0f3a"', "last_modified": None})
    '0f3a'
    """
    etag = meta["e_tag"]
    if etag:
        return str(etag).removeprefix("W/").strip('"')
    modified = meta["last_modified"]
    return None if modified is None else str(round(modified.timestamp() * 1_000_000) * 1000)


def _objects(location: Location, tally: Tally) -> Iterator[tuple[str, int, str | None]]:
    """Yield path, size and version; leave out the empty objects that mark folders."""
    held: tuple[str, int, str | None] | None = None
    for page in obstore.list(location.objects(), chunk_size=_PAGE_ROWS, return_arrow=True):
        batch = pa.record_batch(page)
        columns = {name: batch.column(name) for name in ("path", "size", "e_tag", "last_modified")}
        metas = (
            dict(zip(columns, values, strict=True))
            for values in zip(*(column.to_pylist() for column in columns.values()), strict=True)
        )
        for meta in metas:
            path, size = meta["path"], meta["size"]
            if held is not None:
                if path.startswith(held[0] + "/"):
                    tally.skip("folder-marker", held[0])
                else:
                    yield held
                held = None
            if size == 0 and "." not in path.rpartition("/")[2]:
                tally.skip("folder-marker", path)
            elif size == 0:
                held = (path, size, object_version(meta))
            else:
                yield path, size, object_version(meta)
    if held is not None:
        yield held


def _take(
    location: Location,
    selection: Selection,
    tally: Tally,
    leave_out: Collection[str],
    buffer: EntryBuffer,
    path: str,
    size_bytes: int,
    version: str | None,
) -> None:
    refusal = selection.refusal(path)
    if any(path.startswith(folder + "/") for folder in leave_out):
        refusal = "store"
    if refusal:
        tally.skip(refusal, path)
    else:
        buffer.add(path, f"{location.uri}/{path}", size_bytes, version)
