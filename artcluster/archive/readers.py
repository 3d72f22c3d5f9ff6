"""Reading one file whole, wherever it lies, and telling what became of it since the listing."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import obstore
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from artcluster.archive.buckets import first_line, info_version, object_version
from artcluster.archive.entries import local_file
from artcluster.errors import ArchiveError
from artcluster.location import Location, redact

_FORBIDDEN = (PermissionError, PermissionDeniedError, UnauthenticatedError)

_GONE_STATUS = (404, 410)

_FORBIDDEN_STATUS = (401, 403, 407, 451)

_WEB_PAGE = (b"<!doctype html", b"<html")

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")


@dataclass(frozen=True)
class FetchedFile:
    """What came of reading a file.

    Attributes:
        outcome: `ok`; `gone`: it vanished since the listing; `too-large`: it was not read;
            `unread`: it could not be read, which a later job tries again.
        data: The bytes, if ok.
        content_id: SHA-256 of the bytes, if ok.
        size_bytes: Size of what is there now; None if gone.
        version: Change marker of what is there now, comparable to the listing's.
        fault: Why it could not be read.
    """

    outcome: Literal["ok", "gone", "too-large", "unread"]
    data: bytes = b""
    content_id: str | None = None
    size_bytes: int | None = None
    version: str | None = None
    fault: str = ""


GONE = FetchedFile("gone")


def read_local(uri: str, max_bytes: int) -> FetchedFile:
    """Read a local file.

    Raises:
        OSError: It cannot be read, or changed while it was read.
    """
    try:
        descriptor = os.open(local_file(uri), os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        os.close(descriptor)
        return GONE
    with os.fdopen(descriptor, "rb") as file:
        if before.st_size > max_bytes:
            return _too_large(before.st_size, str(before.st_mtime_ns))
        data = file.read()
        after = os.fstat(descriptor)
    if (after.st_size, after.st_mtime_ns) != (len(data), before.st_mtime_ns):
        raise OSError(f"expected {before.st_size:,} bytes, got {len(data):,}: it changed meanwhile")
    return _read(data, str(after.st_mtime_ns))


def stat_local(uri: str) -> FetchedFile:
    """Look at a local file without reading it: `ok` with size and version, or `gone`."""
    try:
        found = Path(local_file(uri)).stat()
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    if not stat.S_ISREG(found.st_mode):
        return GONE
    return FetchedFile("ok", size_bytes=found.st_size, version=str(found.st_mtime_ns))


def read_object(store: Any, key: str, max_bytes: int) -> FetchedFile:
    """Read an object of S3, Google Cloud Storage or Azure.

    Raises:
        ValueError: object_store does not take the key.
        ArchiveError: The bucket itself is not there.
        obstore.exceptions.BaseError: It cannot be read.
    """
    try:
        found = obstore.get(store, key)
        meta = found.meta
        if meta["size"] > max_bytes:
            return _too_large(meta["size"], object_version(meta))
        return _read(bytes(found.bytes()), object_version(meta))
    except FileNotFoundError as error:
        return _gone_from_bucket(error)


def stat_object(store: Any, key: str) -> FetchedFile:
    """Look at an object without reading it; raises as `read_object` does."""
    try:
        meta = obstore.head(store, key)
    except FileNotFoundError as error:
        return _gone_from_bucket(error)
    return FetchedFile("ok", size_bytes=meta["size"], version=object_version(meta))


def read_remote(location: Location, max_bytes: int) -> FetchedFile:
    """Read a file through fsspec.

    Raises:
        Exception: It cannot be read; each filesystem raises what it likes.
    """
    found = stat_remote(location)
    if found.outcome == "gone":
        return found
    if found.size_bytes is not None and found.size_bytes > max_bytes:
        return _too_large(found.size_bytes, found.version)
    filesystem, path = location.fsspec()
    try:
        data = filesystem.cat_file(path)
    except Exception as error:
        return _gone_or_fault(error)
    if _is_web(location) and data[:256].lstrip().lower().startswith(_WEB_PAGE):
        raise _web_page()
    return _read(data, found.version)


def stat_remote(location: Location) -> FetchedFile:
    """Look at a file through fsspec without reading it; raises as `read_remote` does."""
    filesystem, path = location.fsspec()
    # Some filesystems answer from a listing that they remember.
    filesystem.invalidate_cache()
    try:
        info = filesystem.info(path)
    except Exception as error:
        return _gone_or_fault(error)
    if info.get("type") == "directory":
        return GONE
    if _is_web(location) and info.get("mimetype") == "text/html":
        raise _web_page()
    size = info.get("size")
    return FetchedFile(
        "ok", size_bytes=None if size is None else int(size), version=info_version(info)
    )


def _gone_or_fault(error: Exception) -> FetchedFile:
    """Return that a file is gone, or raise what really happened.

    fsspec calls whatever a web server or the way to it fails with a missing file, and has the
    fault as its cause.

    Raises:
        Exception: The file may be there.
    """
    cause = error.__cause__ if isinstance(error, FileNotFoundError) else error
    if cause is None or isinstance(cause, FileNotFoundError):
        return GONE
    if getattr(cause, "status", None) in _GONE_STATUS:
        return GONE
    assert isinstance(cause, Exception)
    raise cause


def _is_web(location: Location) -> bool:
    return location.protocol in ("http", "https")


def _web_page() -> PermissionError:
    return PermissionError(
        "the server answers with a web page in the place of the file, as for a login or an error"
    )


def is_forbidden(error: Exception) -> bool:
    """Tell whether trying again is of no use, since the reader has no permission."""
    return isinstance(error, _FORBIDDEN) or getattr(error, "status", None) in _FORBIDDEN_STATUS


def _gone_from_bucket(error: FileNotFoundError) -> FetchedFile:
    text = str(error)
    if any(sign in text for sign in _NO_BUCKET):
        raise ArchiveError(f"The archive's bucket is not there: {first_line(error)}.") from error
    return GONE


def _read(data: bytes, version: str | None) -> FetchedFile:
    return FetchedFile("ok", data, hashlib.sha256(data).hexdigest(), len(data), version)


def _too_large(size_bytes: int, version: str | None) -> FetchedFile:
    return FetchedFile("too-large", size_bytes=size_bytes, version=version)


def words(error: Exception) -> str:
    """Return what an error says, in one line and without secrets."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return redact(first_line(error)) or type(error).__name__
