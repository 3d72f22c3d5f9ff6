"""Metadata: a user's table joined to the images of an archive, without touching these."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from artcluster.archive.database import (
    Database,
    Limits,
    Relation,
    identifier,
    open_database,
    quoted,
)
from artcluster.archive.matching import match
from artcluster.archive.tables import ROW, content_version, open_table, stored_type
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.schema import METADATA_KEYS

JOIN_COLUMNS = (
    "path",
    "file_path",
    "filepath",
    "image_path",
    "filename",
    "file_name",
    "file",
    "image",
    "uri",
    "url",
    "id",
)

"""Columns that are taken to name the image, by preference."""


PREFIX = "user_"

"""Put before a user's column that is named as one of the table's keys."""


_EXAMPLES = 5

# Spark does not read Delta tables whose columns have these in their names.
_NOT_IN_NAMES = str.maketrans(dict.fromkeys(" ,;{}()\n\t=", "_"))

_PATHS = pa.schema([("path", pa.string())])


@dataclass(frozen=True)
class MetadataReport:
    """How well a table fits an archive.

    Attributes:
        rows: Rows of the table.
        matched: Rule → rows that it gave their image.
        ambiguous: Rows that fit several images, or share an image with another row. Not joined.
        unmatched: Rows that fit no image. Not joined.
        images: Images of the archive.
        images_without: Images that got no row.
        examples: Some of what was not joined: `ambiguous` and `unmatched` values, and
            `without`: paths of images.
        columns: The user's name of a column → its name in the table.
    """

    rows: int
    matched: Mapping[str, int]
    ambiguous: int
    unmatched: int
    images: int
    images_without: int
    examples: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, str]


class MetadataJoin:
    """A table joined to an archive; lives inside `join_metadata`.

    Attributes:
        source: The table's address.
        version: SHA-256 of its bytes.
        report: What was joined, and what was not.
        schema: Columns of the result: `METADATA_KEYS`, then the user's.
    """

    def __init__(self, database: Database, source: str, version: str, archive_id: str) -> None:
        self.source = source
        self.version = version
        self._database = database
        columns = _stored_columns(database)
        self.report = _report(database, {name: stored for name, stored, _ in columns})
        keys = (quoted(archive_id), "p.path", quoted(source), quoted(version))
        chosen = [
            *(f"{value} {key}" for value, key in zip(keys, METADATA_KEYS, strict=True)),
            *(
                f"cast(t.{identifier(name)} as {kind}) {identifier(stored)}"
                for name, stored, kind in columns
            ),
        ]
        self._query = (
            f"select {', '.join(chosen)} from user_rows t "
            f"join matched m on t.{ROW} = m.row join pictured p on m.image = p.image"
        )
        self.schema = database.table(f"{self._query} limit 0").schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the joined rows in the table's order."""
        yield from self._database.batches(f"{self._query} order by t.{ROW}")

    def table(self) -> pa.Table:
        """Return the joined rows at once."""
        return pa.Table.from_batches(self.batches(), self.schema)


@contextmanager
def join_metadata(
    source: Location,
    archive: Location,
    archive_id: str,
    images: Relation,
    *,
    column: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    limits: Limits | None = None,
) -> Iterator[MetadataJoin]:
    """Join a CSV, Parquet or JSONL table to an archive's images.

    A row names its image by path, by a part of it, by file name, or by file name without
    extension (see `matching.rules`); where there is doubt it is not joined, but counted.

    Args:
        source: The table.
        archive: The archive; values may also be full addresses below it.
        images: Rows with a `path`: the files of a scan, or `images` rows of this archive.
        column: The column that names the image; by default the first of `JOIN_COLUMNS`.
        encoding: Of a CSV file; by default UTF-8, or what its byte order mark says.
        delimiter: Of a CSV file; by default found in its header.
        limits: What the join may use.

    Raises:
        UsageError: The table cannot be read or has no such column.
        ArchiveError: The table is not there.
    """
    with open_database(limits or Limits()) as database:
        version = content_version(database, source)
        columns = open_table(
            database, source, "user_rows", encoding=encoding, delimiter=delimiter, typed=True
        )
        chosen = _join_column(columns, column, source)
        database.register("given_images", images, _PATHS)
        database.execute(
            "create table pictured as select row_number() over () image, path "
            "from (select distinct path from given_images)"
        )
        database.execute(
            f"create table named as select {ROW} as row, "
            f"cast({identifier(chosen)} as varchar) as value from user_rows"
        )
        match(database, archive.uri)
        yield MetadataJoin(database, str(source), version, archive_id)


def _join_column(columns: list[str], wanted: str | None, source: Location) -> str:
    names = {name.lower(): name for name in columns}
    for name in (wanted,) if wanted else JOIN_COLUMNS:
        if name.lower() in names:
            return names[name.lower()]
    expected = repr(wanted) if wanted else f"one of {', '.join(JOIN_COLUMNS)}"
    raise UsageError(
        f"{source}: expected the column {expected} to name the image, got the columns "
        f"{', '.join(columns)}. Name the right one with metadata.join."
    )


def _stored_columns(database: Database) -> list[tuple[str, str, str]]:
    """Return name, name in the table and type of the user's columns."""
    taken = set(METADATA_KEYS)
    found = []
    for name, kind, *_ in database.execute("describe user_rows"):
        if name == ROW:
            continue
        stored = name.translate(_NOT_IN_NAMES)
        while stored.lower() in taken:
            stored = PREFIX + stored
        taken.add(stored.lower())
        found.append((name, stored, stored_type(kind)))
    return found


def _report(database: Database, columns: Mapping[str, str]) -> MetadataReport:
    def count(query: str) -> int:
        ((number,),) = database.execute(f"select count(*) from {query}")
        return int(number)

    def some(query: str) -> tuple[str, ...]:
        return tuple(str(text) for (text,) in database.execute(f"{query} limit {_EXAMPLES}"))

    joined = dict(database.execute("select rule, count(*) from matched group by rule"))
    rows, images, ambiguous = count("named"), count("pictured"), count("ambiguous")
    matched = sum(joined.values())
    unmatched = "named anti join matched using (row) anti join ambiguous using (row)"
    without = "pictured anti join matched using (image)"
    return MetadataReport(
        rows=rows,
        matched=joined,
        ambiguous=ambiguous,
        unmatched=rows - matched - ambiguous,
        images=images,
        images_without=images - matched,
        examples={
            "ambiguous": some(
                "select value from named semi join ambiguous using (row) order by row"
            ),
            "unmatched": some(f"select coalesce(value, '') from {unmatched} order by row"),
            "without": some(f"select path from {without} order by path"),
        },
        columns=columns,
    )
