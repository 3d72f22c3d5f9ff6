"""Where an archive or a store lies: one resolver of URIs and credentials for every library.

A `Location` is parsed once from what a user wrote and then handed to obstore, Delta, fsspec and
pyarrow alike, so that a path with spaces or `#`, an endpoint or a key means the same to all.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

from artcluster.errors import StoreError, UsageError
from artcluster.location import credentials
from artcluster.location.redaction import redact

__all__ = ["Location", "ObjectStore", "redact"]


ObjectStore = LocalStore | S3Store | GCSStore | AzureStore


_PROTOCOL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://(.*)", re.DOTALL)
_USERINFO = re.compile(r"([^/@]*)@(.*)", re.DOTALL)
_LOCAL = ("file", "local")
_WITH_LOGIN = ("http", "https", "sftp", "ssh", "ftp", "smb", "webdav")
_SPELLINGS = {"s3a": "s3", "gcs": "gs"}

# delta-rs 1.6 reads a percent escape in a folder's name as the character it would stand for, and
# panics on the others in a local path.
_NOT_FOR_DELTA = re.compile(r"%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f\\]")
_NOT_FOR_LOCAL_DELTA = re.compile(r"[\[\]|^]")


@dataclass(frozen=True)
class Location:
    """A place that files are read from or written to.

    Attributes:
        uri: Canonical and absolute, without secrets. Local folders are plain absolute paths;
            elsewhere `protocol://bucket/key` with the key as it is, not percent-encoded.
        options: Storage options in object_store's vocabulary; for protocols that object_store
            does not speak, keyword arguments of the fsspec filesystem. Never shown by repr.
    """

    uri: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    @classmethod
    def parse(cls, path_or_uri: str | Path, options: Mapping[str, str] | None = None) -> "Location":
        """Resolve what a user wrote.

        User and password in a URI, and the query string of a web address, move to the options.

        Args:
            path_or_uri: A path (`~` is expanded), or a URI of any protocol fsspec knows.
            options: Storage options; what they leave out the environment may give.

        Raises:
            UsageError: The path is empty, or the URI names no bucket or host.

        >>> Location.parse("s3a://museum/scans/2026 #1/").uri
        's3://museum/scans/2026 #1'
        >>> Location.parse("file:///data/a%20b").uri
        '/data/a b'
        """
        text = os.fspath(path_or_uri)
        given = dict(options or {})
        if not text.strip():
            raise UsageError("Expected a path or a URI such as s3://bucket/folder, got nothing.")
        found = None if isinstance(path_or_uri, Path) else _PROTOCOL.fullmatch(text)
        if found is None:
            return cls(os.path.abspath(os.path.expanduser(text)), given)  # noqa: PTH100, PTH111
        protocol, rest = found[1].lower(), found[2]
        if protocol in _LOCAL:
            rest = rest.removeprefix("localhost")
            return cls(os.path.abspath(unquote(rest)), given)  # noqa: PTH100
        protocol = _SPELLINGS.get(protocol, protocol)
        if "::" in text:
            return cls(text, given)
        family = credentials.FAMILIES.get(protocol)
        if family:
            given = credentials.canonical(given, family)
        if family == "AWS" or protocol in _WITH_LOGIN:
            rest = _take_userinfo(rest, given, family)
        if protocol in ("http", "https"):
            rest, mark, query = rest.partition("?")
            if mark:
                given["query"] = query
        elif not rest.strip("/") and protocol not in ("memory", "data"):
            raise UsageError(
                f"Expected a bucket or host after {protocol}://, got {redact(text)!r}."
            )
        rest = rest if protocol in ("http", "https") else rest.rstrip("/")
        return cls(f"{protocol}://{rest}", given)

    @property
    def protocol(self) -> str:
        """`file` for local paths, else the URI's."""
        found = _PROTOCOL.fullmatch(self.uri)
        return found[1] if found else "file"

    @property
    def is_local(self) -> bool:
        """Whether it is a folder or file of this machine (which a network mount is too)."""
        return self.protocol == "file"

    def __str__(self) -> str:
        return redact(self.uri)

    def child(self, *parts: str) -> "Location":
        """Return a location below this one; parts are keys as they are, '/' between folders.

        >>> Location.parse("/store").child("models", "a/b").uri
        '/store/models/a/b'
        """
        first, chained, rest = self.uri.partition("::")
        below = "/".join(part.strip("/") for part in parts if part.strip("/"))
        base = first.rstrip("/") if not first.endswith("://") else first
        options = {key: value for key, value in self.options.items() if key != "query"}
        return Location(f"{base}/{below}{chained}{rest}" if below else self.uri, options)

    def objects(self, *, create: bool = False) -> ObjectStore:
        """Return an object store rooted here.

        Args:
            create: Make a local folder that does not exist.

        Raises:
            StoreError: The protocol has no conditional put, or the local folder does not exist
                or cannot be made.
            UsageError: The storage options are unknown, incomplete or malformed.
        """
        if self.is_local:
            if not create and not Path(self.uri).is_dir():
                raise StoreError(f"No such folder: {self.uri!r}.")
            try:
                return LocalStore(self.uri, mkdir=create)
            except (BaseError, OSError) as failed:
                raise StoreError(f"Cannot use the folder {self.uri!r}: {failed}.") from failed
        family = self._family()
        config, client = credentials.for_obstore(self._resolved(), family)
        bucket, prefix = self._bucket(config)
        arguments: dict[str, Any] = {"config": config, "client_options": client}
        if prefix:
            arguments["prefix"] = prefix
        try:
            if family == "GOOGLE":
                return GCSStore(bucket, **arguments)
            if family == "AZURE":
                return AzureStore(bucket, **arguments)
            if _needs_profile(config):
                arguments["credential_provider"] = credentials.Provider()
            return S3Store(bucket, **arguments)
        except (BaseError, ValueError) as wrong:
            reason = redact(str(wrong).split("\n", 1)[0])
            raise UsageError(f"Storage options for {self}: {reason}") from None

    def delta_uri(self) -> str:
        """Return the URI as delta-rs reads it.

        Raises:
            StoreError: The protocol cannot hold a store, or delta-rs cannot address the path.
        """
        bad = _NOT_FOR_DELTA.search(self.uri)
        if self.is_local:
            bad = bad or _NOT_FOR_LOCAL_DELTA.search(self.uri)
        else:
            self._family()
        if bad:
            raise StoreError(
                f"A store cannot lie at {self.uri!r}: Delta tables cannot be addressed below a "
                f"folder with {bad[0]!r} in its name. Choose another folder."
            )
        if self.is_local:
            return self.uri
        protocol, rest = self.uri.split("://", 1)
        return f"{protocol}://{quote(rest, safe='/@:')}"

    def delta_options(self) -> dict[str, str]:
        """Return the storage options that delta-rs takes with `delta_uri`."""
        if self.is_local:
            return {}
        resolved = self._resolved()
        if self._family() == "AWS" and _needs_profile(resolved):
            resolved |= credentials.keys()
        return credentials.for_delta(resolved, self._family())

    def fsspec(self) -> tuple[Any, str]:
        """Return an fsspec filesystem and this place's path in it.

        Raises:
            UsageError: fsspec does not know the protocol, or its package is not installed.
        """
        from artcluster.location.filesystems import open_fsspec

        return open_fsspec(self.uri, self.protocol, self._resolved())

    def arrow(self) -> tuple[Any, str]:
        """Return a pyarrow filesystem and this place's path in it."""
        from artcluster.location.filesystems import open_arrow

        return open_arrow(self.uri, self.protocol, self._resolved())

    def _family(self) -> str:
        family = credentials.FAMILIES.get(self.protocol)
        if family is None or "::" in self.uri:
            raise StoreError(
                f"A store cannot lie at {redact(self.uri)!r}: {self.protocol}:// cannot create a "
                "file only if it is absent. Expected a local folder, s3://, gs://, az:// or "
                "abfss://. Archives can be read from there."
            )
        return family

    def _resolved(self) -> dict[str, str]:
        family = credentials.FAMILIES.get(self.protocol)
        if family is None or "::" in self.uri:
            return dict(self.options)
        return credentials.resolved(credentials.canonical(self.options, family), family)

    def _bucket(self, config: dict[str, str]) -> tuple[str, str]:
        bucket, _, prefix = self.uri.split("://", 1)[1].partition("/")
        container, at, host = bucket.partition("@")
        if at:
            config.setdefault("AZURE_STORAGE_ACCOUNT_NAME", host.split(".", 1)[0])
        return container, prefix


def _needs_profile(options: Mapping[str, str]) -> bool:
    """Tell whether AWS options leave the keys to a profile that there is."""
    given = "AWS_ACCESS_KEY_ID" in options
    public = credentials.truth(options.get("AWS_SKIP_SIGNATURE"))
    return not given and not public and credentials.is_set_up()


def _take_userinfo(rest: str, options: dict[str, str], family: str | None) -> str:
    """Move `user:password@` of a URI to the options; return the URI's rest without it."""
    found = _USERINFO.fullmatch(rest)
    if found is None:
        return rest
    # urlsplit knows an '@' that ends the userinfo from one in a key.
    parts = urlsplit(f"x://{found[1]}@host")
    names = {"AWS": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}.get(
        family or "", ("username", "password")
    )
    for name, value in zip(names, (parts.username, parts.password), strict=True):
        if value:
            options.setdefault(name, unquote(value))
    return found[2]
