"""Archives that are lists: a CSV, Parquet or JSONL file of addresses."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.archive.database import Database, Limits, identifier, open_database, parquet
from artcluster.archive.entries import MISSING, NO_ANSWER, EntryBuffer, Selection, Tally
from artcluster.archive.fetch import Fetcher
from artcluster.archive.tables import TABLE_SUFFIXES, open_table
from artcluster.archive.text_tables import ROW
from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location, redact

COLUMNS = ("uri", "path", "url", "file", "filename", "file_name")
"""Columns that are taken for the address, by preference."""


def is_list(location: Location) -> bool:
    """Tell whether an archive's address names a list, by its extension."""
    return location.uri.lower().endswith(TABLE_SUFFIXES) and not (
        location.is_local and location.fsspec()[0].isdir(location.uri)
    )


@dataclass(frozen=True)
class AddressList:
    """The files that a list names.

    Attributes:
        location: The list.
        root: What relative addresses are relative to.
        column: The column of addresses; guessed from `COLUMNS` if None.
        look: Ask for every file's size and version. Without, both are null, and a known path
            never counts as changed.
        selection: Which files to list.
        tally: Where to count what is left out.
        fetcher: Looks at the files.
        limits: What finding double addresses may use.
    """

    location: Location
    root: Location
    column: str | None
    look: bool
    selection: Selection
    tally: Tally
    fetcher: Fetcher
    limits: Limits

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield batches of entries, each path once, in the list's order.

        Raises:
            UsageError: The list has no column of addresses, or holds signed ones.
            ArchiveError: The list cannot be read, or none of its files exists.
        """
        buffer = EntryBuffer()
        named = listed = 0
        with open_database(self.limits) as database:
            self._resolve(database)
            addresses = self._addresses(database)
            for address, size_bytes, version, outcome in addresses:
                named += 1
                if outcome == "gone":
                    self.tally.skip(MISSING, address.path, address.uri)
                    continue
                if outcome == "unread":
                    # Whether it has changed is not known; reading it will tell what is wrong.
                    self.tally.skip(NO_ANSWER, address.path, address.uri)
                listed += 1
                buffer.add(address.path, address.uri, size_bytes, version)
                yield from buffer.full()
        if named and not listed:
            raise ArchiveError(
                f"None of the {named:,} files that {self.location} names exists. Relative "
                f"addresses were looked for below {self.root}; give another root if they lie "
                "elsewhere."
            )
        yield from buffer.rest()

    def _addresses(
        self, database: Database
    ) -> Iterator[tuple["_Address", int | None, str | None, str]]:
        rows = (
            _Address(path, uri)
            for batch in database.batches(
                "select path, uri from (select path, min(row) row from resolved group by path) "
                "join resolved using (path, row) order by row"
            )
            for path, uri in zip(
                batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True
            )
        )
        if not self.look:
            for row in rows:
                yield row, None, None, "ok"
            return
        for row, found in self.fetcher.look_many(rows):
            yield row, found.size_bytes, found.version, found.outcome

    def _resolve(self, database: Database) -> None:
        """Write path and address of every row to a scratch table, relative ones made absolute."""
        columns = open_table(database, self.location, "listed")
        column = identifier(_address_column(columns, self.column, self.location))
        target = database.folder / "resolved.parquet"
        schema = pa.schema([("row", pa.int64()), ("path", pa.string()), ("uri", pa.string())])
        with pq.ParquetWriter(target, schema) as writer:
            for batch in database.batches(
                f"select {ROW}, cast({column} as varchar) from listed order by {ROW}"
            ):
                rows = []
                for number, text in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                    resolved = self._resolved(text, number)
                    if resolved is not None:
                        path, uri = resolved
                        rows.append({"row": number, "path": path, "uri": uri})
                writer.write_table(pa.Table.from_pylist(rows, schema))
        database.execute(f"create view resolved as select * from {parquet([target])}")

    def _resolved(self, text: str | None, row: int) -> tuple[str, str] | None:
        if text is None or not text.strip():
            self.tally.skip("no-address", f"row {row + 1}")
            return None
        path, uri = resolve(text, self.root)
        if redact(uri) != uri:
            raise UsageError(
                f"Row {row + 1} of {self.location} is an address with a key or a signature in it: "
                f"{redact(uri)!r}. Such addresses expire, and are never stored. Expected plain "
                "addresses, with credentials from the environment or archive.options."
            )
        refusal = self.selection.refusal(path)
        if refusal:
            self.tally.skip(refusal, path, uri)
            return None
        return path, uri


@dataclass(frozen=True)
class _Address:
    path: str
    uri: str
    size_bytes: int | None = None


def resolve(text: str, root: Location) -> tuple[str, str]:
    """Return path and address for what a list says.

    The path is relative to the root where the file lies below it; else it is the address itself.

    >>> resolve("a/../b 1.jpg", Location.parse("s3://museum/scans"))
    ('b 1.jpg', 's3://museum/scans/b 1.jpg')
    >>> resolve("https://iiif.org/x.jpg?w=9", Location.parse("/lists"))
    ('https://iiif.org/x.jpg?w=9', 'https://iiif.org/x.jpg?w=9')
    """
    text = text.strip()
    web = text.startswith(("http://", "https://"))
    if web:
        uri = text
    elif "://" in text or text.startswith("/"):
        uri = Location.parse(text).uri
    else:
        relative = posixpath.normpath(text.replace("\\", "/"))
        if not relative.startswith("../") and relative != "..":
            return relative, root.child(relative).uri
        uri = Location.parse(_above(root.uri, relative)).uri
    below = root.uri.rstrip("/") + "/"
    return (uri.removeprefix(below) if uri.startswith(below) else uri), uri


def _above(root: str, relative: str) -> str:
    protocol, mark, rest = root.rpartition("://")
    return protocol + mark + posixpath.normpath(posixpath.join(rest, relative))


def _address_column(columns: list[str], wanted: str | None, location: Location) -> str:
    names = {column.lower(): column for column in reversed(columns)}
    for name in (wanted,) if wanted else COLUMNS:
        if name.lower() in names:
            return names[name.lower()]
    expected = repr(wanted) if wanted else " or ".join(map(repr, COLUMNS))
    raise UsageError(
        f"{location}: expected a column {expected} of addresses, got {', '.join(columns)}."
    )
