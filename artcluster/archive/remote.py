"""Listing through fsspec: every other protocol, and keys that object_store does not take."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from artcluster.archive.entries import EntryBuffer
from artcluster.archive.selection import Selection
from artcluster.archive.tally import Tally
from artcluster.errors import ArchiveError
from artcluster.location import Location, redact


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
                    tally.skip("folder-marker")
                    continue
                refusal = selection.refusal(path)
                if refusal:
                    tally.skip(refusal)
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
            tally.skip("store")
        elif not selection.enters(name):
            tally.skip("hidden")
        else:
            continue
        del folders[name]


def _relative(folder: str, base: str) -> str:
    return folder.strip("/").removeprefix(base.strip("/")).strip("/")


def _uri(location: Location, path: str) -> str:
    return location.child(path).uri
