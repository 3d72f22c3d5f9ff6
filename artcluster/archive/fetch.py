"""Fetching files with retries: what cannot be read is an outcome, one file after another an error.

A file that vanished, or that stays unreadable, is told of and left; a server that is down, or that
refuses the credentials, ends the job before it has tried every file in vain.
"""

import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import obstore

from artcluster.archive.containers import (
    BROKEN,
    BadMemberError,
    Container,
    MemberAddress,
    Ranges,
    member_address,
    open_container,
)
from artcluster.archive.entries import local_file, printable
from artcluster.archive.readers import (
    GONE,
    FetchedFile,
    is_forbidden,
    read_local,
    read_object,
    read_remote,
    stat_local,
    stat_object,
    stat_remote,
    words,
)
from artcluster.errors import ArchiveError, ArchiveOutOfReachError, UnreadFileError
from artcluster.location import Location, ObjectStore, redact
from artcluster.location.credentials import FAMILIES

_LONGEST_PAUSE_S = 30.0

_OPEN_CONTAINERS = 8


class Addressed(Protocol):
    """Something listed: where its bytes lie, and how many they were."""

    @property
    def uri(self) -> str:
        """Where the bytes lie, as a listing states it."""
        ...

    @property
    def size_bytes(self) -> int | None:
        """Size in the listing."""
        ...


RowT = TypeVar("RowT", bound=Addressed)


@dataclass(frozen=True)
class FetchSettings:
    """How files are fetched.

    Attributes:
        retries: How often a failing read is tried again.
        first_pause_s: Pause before the first retry; doubled each time, up to 30 s, with jitter.
        max_unread_in_a_row: So many files that cannot be read, and none between that can, mean
            that the archive is out of reach.
        max_file_bytes: A larger file is an outcome, and is not read.
        threads: Files fetched at once, except from local disks, which are read one by one.
        ahead_bytes: Stop fetching ahead at so many bytes not yet taken.
    """

    retries: int = 5
    first_pause_s: float = 0.5
    max_unread_in_a_row: int = 20
    max_file_bytes: int = 2 << 30
    threads: int = 16
    ahead_bytes: int = 256 << 20


class Fetcher:
    """Reads the files of one archive. Made in the process that uses it; threads may share it."""

    def __init__(
        self,
        archive: Location,
        settings: FetchSettings | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.archive = archive
        self.settings = settings or FetchSettings()
        self._sleep = sleep
        self._stores: dict[str, ObjectStore] = {}
        self._lock = threading.Lock()
        self._unread_in_a_row = 0
        self._containers: dict[str, Container] = {}

    def fetch(self, uri: str) -> FetchedFile:
        """Read a file as it is now.

        Args:
            uri: Where it lies, as the listing states it.

        Raises:
            UnreadFileError: It could not be read, after all retries: an I/O fault, no reject.
            ArchiveError: The archive itself is not there.
        """
        return self._persist(uri, partial(self._read, uri))

    def look(self, uri: str) -> FetchedFile:
        """Return a file's size and version without reading it; raises as `fetch` does."""
        return self._persist(uri, partial(self._stat, uri))

    def fetch_many(self, rows: Iterable[RowT]) -> Iterator[tuple[RowT, FetchedFile]]:
        """Fetch files and yield them in their order, several at a time from object storage.

        Raises:
            ArchiveOutOfReachError: Too many in a row cannot be read.
            ArchiveError: The archive itself is not there.
        """
        return self._many(rows, partial(self._tolerate, self.fetch))

    def look_many(self, rows: Iterable[RowT]) -> Iterator[tuple[RowT, FetchedFile]]:
        """Look at files, as `fetch_many` fetches them."""
        return self._many(rows, partial(self._tolerate, self.look))

    def _many(
        self, rows: Iterable[RowT], act: Callable[[str], FetchedFile]
    ) -> Iterator[tuple[RowT, FetchedFile]]:
        waiting: deque[tuple[RowT, Future[FetchedFile]]] = deque()
        ahead = 0
        pool = ThreadPoolExecutor(self.settings.threads, "fetch")
        try:
            for row in rows:
                local = _is_local(row.uri)
                size = row.size_bytes or 0
                while waiting and (
                    local
                    or len(waiting) >= 2 * self.settings.threads
                    or ahead + size > self.settings.ahead_bytes
                ):
                    first, future = waiting.popleft()
                    ahead -= first.size_bytes or 0
                    yield first, future.result()
                if local:
                    yield row, act(row.uri)
                else:
                    waiting.append((row, pool.submit(act, row.uri)))
                    ahead += size
            for row, future in waiting:
                yield row, future.result()
        finally:
            # Without waiting: one that fails shall not be held up by others that try again.
            pool.shutdown(wait=False, cancel_futures=True)

    def _tolerate(self, act: Callable[[str], FetchedFile], uri: str) -> FetchedFile:
        """Make an outcome of a file that cannot be read, unless it is one of too many in a row."""
        try:
            found = act(uri)
        except UnreadFileError as error:
            cause = error.__cause__
            refused = isinstance(cause, Exception) and is_forbidden(cause)
            # The owner of a local file may shut it off; a disk or server fails for all alike.
            # What cannot be unpacked says nothing of the files after it.
            if not (refused and _is_local(uri)) and not isinstance(cause, BadMemberError):
                self._count_unread(uri, str(cause), refused)
            fault = words(cause) if isinstance(cause, Exception) else str(error)
            return FetchedFile("unread", fault=fault)
        with self._lock:
            self._unread_in_a_row = 0
        return found

    def _count_unread(self, uri: str, cause: str, refused: bool) -> None:
        with self._lock:
            self._unread_in_a_row += 1
            in_a_row = self._unread_in_a_row
        if in_a_row < self.settings.max_unread_in_a_row:
            return
        why = (
            "The server refuses the credentials: they may have expired. Renew them"
            if refused
            else "Its server or disk does not answer. Mend it"
        )
        raise ArchiveOutOfReachError(
            f"{in_a_row} files in a row cannot be read, the last {printable(redact(uri))!r}: "
            f"{redact(cause)}. {why} and start the same command again: it goes on from the last "
            "commit. (archive.max_unread_in_a_row sets how many end a job.)"
        )

    def _persist(self, uri: str, act: Callable[[], FetchedFile]) -> FetchedFile:
        for attempt in range(self.settings.retries + 1):
            try:
                found = act()
            except ArchiveError:
                raise
            except Exception as error:
                final = is_forbidden(error) or isinstance(error, BadMemberError)
                if final or attempt == self.settings.retries:
                    raise self._fault(uri, error, attempt) from error
                pause = min(_LONGEST_PAUSE_S, self.settings.first_pause_s * 2**attempt)
                self._sleep(pause * random.uniform(0.5, 1.0))
            else:
                if found.outcome == "gone":
                    self._check_archive()
                return found
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _fault(self, uri: str, error: Exception, attempt: int) -> UnreadFileError:
        shown = printable(redact(uri))
        if is_forbidden(error):
            return UnreadFileError(
                f"Cannot read {shown!r}: {words(error)}. Give the job permission to read the whole "
                "archive, or leave the file out with archive.exclude."
            )
        return UnreadFileError(
            f"Cannot read {shown!r}: {words(error)} (tried {attempt + 1} times). This is a fault "
            "of disk or network, not of the picture. Mend it and start the same command again: it "
            "goes on where it stopped."
        )

    def _check_archive(self) -> None:
        """Tell a file that is gone from an archive that is gone."""
        if self.archive.is_local and not Path(self.archive.uri).exists():
            raise ArchiveError(
                f"The archive {self.archive} is not there any more. Check that its disk or share "
                "is mounted, and start the same command again."
            )

    def container(self, uri: str) -> Container:
        """Return a container, open; the last few are kept open.

        Raises:
            zipfile.BadZipFile: Or another of `BROKEN`: it is not what its ending says.
            FileNotFoundError: It is not there.
        """
        with self._lock:
            found = self._containers.get(uri)
        if found is None:
            opened = open_container(uri, self._ranges(uri))
            with self._lock:
                while len(self._containers) >= _OPEN_CONTAINERS:
                    del self._containers[next(iter(self._containers))]
                found = self._containers.setdefault(uri, opened)
        return found

    def _ranges(self, uri: str) -> Ranges:
        """Return a file of which ranges can be read.

        Raises:
            FileNotFoundError: It is not there.
        """
        found = self._stat(uri)
        if found.outcome != "ok" or found.size_bytes is None:
            raise FileNotFoundError(f"the container {redact(uri)!r} is not there")
        if _is_local(uri):
            file = Path(local_file(uri)).open("rb")  # noqa: SIM115 (closed with the container)
            read: Callable[[int, int], bytes] = lambda start, end: os.pread(  # noqa: E731
                file.fileno(), end - start, start
            )
            return Ranges(read, found.size_bytes, found.version)
        store, key = self._object(uri)
        if store is not None:
            objects = store

            def read_range(start: int, end: int) -> bytes:
                return bytes(obstore.get_range(objects, key, start=start, end=end))

            return Ranges(read_range, found.size_bytes, found.version)
        filesystem, path = self._location(uri).fsspec()
        return Ranges(
            lambda start, end: bytes(filesystem.cat_file(path, start=start, end=end)),
            found.size_bytes,
            found.version,
        )

    def _member(self, address: MemberAddress) -> FetchedFile:
        try:
            container = self.container(address.container)
        except FileNotFoundError:
            return GONE
        except BROKEN as error:
            raise OSError(f"the container cannot be read: {error}") from error
        return container.read(address, self.settings.max_file_bytes)

    def _read(self, uri: str) -> FetchedFile:
        limit = self.settings.max_file_bytes
        address = member_address(uri)
        if address is not None:
            return self._member(address)
        if _is_local(uri):
            return read_local(uri, limit)
        store, key = self._object(uri)
        if store is not None:
            try:
                return read_object(store, key, limit)
            except ValueError:
                pass  # object_store refuses keys with control characters; fsspec takes them.
        return read_remote(self._location(uri), limit)

    def _stat(self, uri: str) -> FetchedFile:
        address = member_address(uri)
        if address is not None:
            return replace(self._member(address), data=b"")
        if _is_local(uri):
            return stat_local(uri)
        store, key = self._object(uri)
        if store is not None:
            try:
                return stat_object(store, key)
            except ValueError:
                pass
        return stat_remote(self._location(uri))

    def _object(self, uri: str) -> tuple[ObjectStore | None, str]:
        protocol, _, rest = uri.partition("://")
        if protocol not in FAMILIES or "::" in uri:
            return None, ""
        bucket, _, key = rest.partition("/")
        if key.startswith("/"):
            return None, ""  # object_store would take it for the key without the slash.
        root = f"{protocol}://{bucket}"
        with self._lock:
            if root not in self._stores:
                self._stores[root] = self._location(root).objects()
            return self._stores[root], key

    def _location(self, uri: str) -> Location:
        """Return a place with the archive's credentials if it is of the archive's kind."""
        protocol = uri.partition("://")[0]
        theirs = self.archive.protocol
        same = FAMILIES.get(protocol, protocol) == FAMILIES.get(theirs, theirs)
        options = self.archive.options if same or "::" in uri else {}
        return Location.parse(uri, options)


def _is_local(uri: str) -> bool:
    return uri.startswith(("/", "file://"))
