"""One way to list an archive: a folder, a bucket, a glob, containers, or a list of addresses."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
from obstore.exceptions import BaseError

from artcluster.archive.buckets import walk_bucket, walk_filesystem
from artcluster.archive.containers import (
    BROKEN,
    CONTAINERS,
    NoImagesError,
    ParquetImages,
    is_container,
    member_uri,
)
from artcluster.archive.database import Limits
from artcluster.archive.entries import EntryBuffer, Selection, Tally, is_text, local_uri, printable
from artcluster.archive.fetch import Fetcher, FetchSettings
from artcluster.archive.folders import FolderWalk, identity
from artcluster.archive.lists import AddressList, is_list
from artcluster.archive.readers import words
from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location, redact
from artcluster.location.credentials import FAMILIES

_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".7z", ".rar")
"""Containers that have to be unpacked as a whole."""


@dataclass(frozen=True)
class Listing:
    """A listing to be iterated once: batches of entries, in an order that keeps folders together.

    Attributes:
        location: The archive.
        pattern: Glob below it, or None.
        include: More globs to take; empty takes everything that may be a picture.
        exclude: Globs to leave out.
        skip_unreadable: Record local folders that cannot be read, instead of failing.
        leave_out: Places that are never listed: the store, should it lie in the archive.
        root: What a list's relative addresses are relative to; by default its own folder.
        column: A list's column of addresses; by default guessed.
        look: Ask for size and version of the files of a list.
        fetch: How the files of a list are looked at.
        limits: What finding double addresses in a list may use.
        tally: What was left out; complete once the listing is.
    """

    location: Location
    pattern: str | None = None
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    skip_unreadable: bool = False
    leave_out: Sequence[Location] = ()
    root: Location | None = None
    column: str | None = None
    look: bool = True
    fetch: FetchSettings = field(default_factory=FetchSettings)
    limits: Limits = field(default_factory=Limits)
    tally: Tally = field(default_factory=Tally)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield batches of `ENTRIES`.

        Raises:
            ArchiveError: The archive cannot be listed, or not to its end.
            UsageError: The archive is the store, or a list has no column of addresses.
        """
        if self.location.uri in [place.uri for place in self.leave_out]:
            raise UsageError(
                f"The store and the archive are the same place, {self.location}. Give the store a "
                "folder of its own."
            )
        include = (*self.include, *([self.pattern] if self.pattern else []))
        selection = Selection(include, self.exclude)
        packed = next((each for each in _PACKED if self.location.uri.lower().endswith(each)), None)
        if packed and not (self.location.is_local and Path(self.location.uri).is_dir()):
            raise UsageError(
                f"{self.location}: the members of a {packed} cannot be read one by one. Unpack it, "
                f"or pack it as {', '.join(CONTAINERS)}."
            )
        if self._is_one_container():
            return self._members(((self.location.uri, ""),))
        if is_list(self.location):
            return self._list(selection)
        return self._with_members(selection)

    def _files(self, selection: Selection) -> Iterator[pa.RecordBatch]:
        """List a folder or bucket."""
        if self.location.is_local:
            return self._local(selection)
        below = self._left_out_below()
        if self.location.protocol in FAMILIES and "::" not in self.location.uri:
            return walk_bucket(self.location, selection, self.tally, below)
        return walk_filesystem(self.location, selection, self.tally, below)

    def _is_one_container(self) -> bool:
        """Tell a container from a folder, and a Parquet file of images from a list."""
        uri = self.location.uri
        if not is_container(uri) or "::" in uri or (self.location.is_local and Path(uri).is_dir()):
            return False
        if not is_list(self.location):
            return True
        if self.column is not None:
            return False
        try:
            opened = Fetcher(self.location, self.fetch).container(uri)
        except (*BROKEN, NoImagesError, FileNotFoundError):
            return False  # The list says what is wrong.
        except (OSError, BaseError) as error:
            raise ArchiveError(f"Cannot read {redact(uri)}: {words(error)}.") from error
        # A list may carry small copies beside its addresses.
        return not (isinstance(opened, ParquetImages) and opened.has_addresses)

    def _with_members(self, selection: Selection) -> Iterator[pa.RecordBatch]:
        """List files, and in the place of containers what they hold.

        Containers are opened where a glob names them, and in folders that hold no pictures.
        """
        some = False
        for batch in self._files(selection):
            some = True
            files = [not is_container(uri) for uri in batch.column("uri").to_pylist()]
            yield batch.filter(pa.array(files, pa.bool_()))
            if not all(files):
                rows = batch.filter(pa.array([not each for each in files], pa.bool_()))
                columns = (rows.column(name).to_pylist() for name in ("uri", "path"))
                yield from self._members(zip(*columns, strict=True))
        if some or self.include or self.pattern:
            return
        endings = Selection([f"**/*{ending}" for ending in CONTAINERS], self.exclude)
        quiet = replace(self, tally=Tally())
        for batch in quiet._files(endings):
            uris, paths = (batch.column(name).to_pylist() for name in ("uri", "path"))
            self.tally.restore(set(paths))
            yield from self._members(zip(uris, paths, strict=True))

    def _members(self, containers: Iterable[tuple[str, str]]) -> Iterator[pa.RecordBatch]:
        """Yield the pictures in containers, each given by its address and its path."""
        fetcher = Fetcher(self.location, self.fetch)
        selection = Selection((), self.exclude)
        buffer = EntryBuffer()
        for uri, path in containers:
            try:
                for member in fetcher.container(uri).members():
                    name = member.name.removeprefix("./")
                    shown = f"{path}/{name}" if path else name
                    refusal = selection.refusal(shown)
                    if {"..", ".", ""} & set(name.split("/")):
                        refusal = "dot-segment"
                    if refusal:
                        self.tally.skip(refusal, shown)
                        continue
                    where = member_uri(uri, member)
                    buffer.add(shown, where, member.size_bytes, member.version)
                    yield from buffer.full()
            except NoImagesError as error:
                if not path:
                    raise UsageError(f"{redact(uri)}: {error}.") from None
                self.tally.skip("not-a-picture", path)
            except (*BROKEN, OSError, ValueError, BaseError) as error:
                raise ArchiveError(
                    f"Cannot list the members of {redact(uri)}: {words(error)}. Expected "
                    f"{', '.join(CONTAINERS)} that is whole and not compressed as a whole (of a "
                    ".tar.gz unpack the .tar). Nothing of this listing is used."
                ) from error
        yield from buffer.rest()

    def _local(self, selection: Selection) -> Iterator[pa.RecordBatch]:
        if Path(self.location.uri).is_file():
            return _single_file(Path(self.location.uri))
        places = (identity(place.uri) for place in self.leave_out if place.is_local)
        leave_out = {place for place in places if place is not None}
        return iter(
            FolderWalk(self.location.uri, selection, self.tally, leave_out, self.skip_unreadable)
        )

    def _list(self, selection: Selection) -> Iterator[pa.RecordBatch]:
        return iter(
            AddressList(
                self.location,
                self.root or folder_of(self.location),
                self.column,
                self.look,
                selection,
                self.tally,
                Fetcher(self.location, self.fetch),
                self.limits,
            )
        )

    def _left_out_below(self) -> list[str]:
        base = self.location.uri.rstrip("/") + "/"
        uris = [place.uri for place in self.leave_out]
        return [uri.removeprefix(base) for uri in uris if uri.startswith(base)]


def folder_of(location: Location) -> Location:
    """Return the folder that a file lies in.

    >>> folder_of(Location.parse("s3://museum/lists/a.csv")).uri
    's3://museum/lists'
    """
    return Location(location.uri.rpartition("/")[0] or "/", location.options)


def _single_file(file: Path) -> Iterator[pa.RecordBatch]:
    buffer = EntryBuffer()
    found = file.stat()
    name = file.name if is_text(file.name) else printable(file.name)
    buffer.add(name, local_uri(str(file)), found.st_size, str(found.st_mtime_ns))
    return buffer.rest()
