"""Opening a user's table, CSV, Parquet or JSONL, as a view of a database with numbered rows."""

import hashlib
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.archive.database import Database, identifier, parquet
from artcluster.archive.readers import words
from artcluster.archive.text_tables import (
    ROW,
    CsvFile,
    JsonLines,
    TextFile,
    column_names,
)
from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location

_AS_WRITTEN = (
    ("BIGINT", "length({0}) < 16 and try_cast({0} as bigint)::varchar = {0}"),
    (
        "DOUBLE",
        "regexp_full_match({0}, '-?[0-9]+([.][0-9]+)?') and "
        "regexp_replace(try_cast({0} as double)::varchar, '[.]0$', '') = {0}",
    ),
    (
        "DOUBLE",
        "regexp_full_match({0}, '-?[0-9]+[.][0-9]+') and try_cast({0} as double)::varchar = {0}",
    ),
    ("BOOLEAN", "lower({0}) in ('true', 'false')"),
    (
        "DATE",
        "regexp_full_match({0}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') and "
        "try_cast({0} as date) is not null",
    ),
    (
        "TIMESTAMP",
        "regexp_full_match({0}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9]{{2}}:[0-9]{{2}}"
        "(:[0-9]{{2}}([.][0-9]{{1,6}})?)?') and try_cast({0} as timestamp) is not null",
    ),
)
"""Types, narrowest first, each with the SQL that tells whether a text can be kept in it.

A column of texts takes the first type that all its values can be kept in. A number must come back
as it was written: with leading zeros, a plus, an exponent, more digits than it holds, or zeros at
its end it is a name or a number of known precision, and stays text. Decimals are written either
where they are needed (1890, 1890.5) or everywhere (1890.0, 1890.5).
"""


_ARROW = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
}

_AS_STORED = {
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "TIMESTAMP": "TIMESTAMPTZ",
    "TIMESTAMP_S": "TIMESTAMPTZ",
    "TIMESTAMP_MS": "TIMESTAMPTZ",
    "TIMESTAMP_NS": "TIMESTAMPTZ",
}
_KEPT = re.compile(
    r"BOOLEAN|TINYINT|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|VARCHAR|BLOB|DATE"
    r"|TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ|DECIMAL\(\d+,\d+\)"
)

_LIST = re.compile(r"(.+?)((?:\[\d*\])+)")


def stored(column: str, kind: str) -> str:
    """Return the SQL of a column's values as they are kept in a Delta table.

    Unsigned integers become signed ones that hold them, times without a zone count as UTC, and
    of what Delta tables do not have, nested values become JSON and others (times of day, intervals,
    integers of more than 64 bits) text.

    Args:
        column: The column's SQL.
        kind: Its type in DuckDB.

    >>> stored("n", "UINTEGER"), stored("t", "TIME")
    ('cast(n as BIGINT)', 'cast(t as VARCHAR)')
    >>> stored("s", "STRUCT(a INTEGER)")
    'case when s is not null then cast(to_json(s) as VARCHAR) end'
    """
    each = _LIST.fullmatch(kind)
    base, brackets = (each[1], each[2]) if each else (kind, "")
    if base.startswith(("STRUCT(", "MAP(", "UNION(")):
        return f"case when {column} is not null then cast(to_json({column}) as VARCHAR) end"
    base = _AS_STORED.get(base, base if _KEPT.fullmatch(base) else "VARCHAR")
    return f"cast({column} as {base}{brackets})"


TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")


_BATCH_ROWS = 10_000


def open_table(
    database: Database,
    location: Location,
    view: str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> list[str]:
    """Make a table known as a view with its own columns, and `ROW`. Those of text are texts.

    Args:
        database: Where to.
        location: The table; copied to the scratch folder unless it is local.
        view: The view's name.
        encoding: Of a CSV or JSONL file; see `TextFile`.
        delimiter: Of a CSV file.

    Returns:
        Names of the columns, without `ROW`.

    Raises:
        UsageError: It is not a table that can be read; the message says where it is wrong.
        ArchiveError: The file is not there or cannot be read.
    """
    suffix = Path(location.uri).suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise UsageError(
            f"{location}: expected a table that ends in {', '.join(TABLE_SUFFIXES)}, got "
            f"{suffix or 'no extension'}."
        )
    local = _local_copy(database, location)
    if suffix == ".parquet":
        try:
            _view_parquet(database, local, location, view)
        except (duckdb.Error, pa.ArrowException) as error:
            raise UsageError(f"{location}: expected Parquet. {words(error)}.") from None
        columns = [row[0] for row in database.execute(f"describe {view}") if row[0] != ROW]
        column_names(columns, str(location))  # Refuses what is there twice.
        return columns
    text = TextFile(local, str(location), encoding)
    if suffix in (".csv", ".tsv"):
        source: CsvFile | JsonLines = CsvFile(text, delimiter or {".tsv": "\t"}.get(suffix))
    else:
        source = JsonLines(text)
    return _load_texts(database, source, view)


def content_version(database: Database, location: Location) -> str:
    """Return the hash of a table's bytes: the version of the metadata in it."""
    digest = hashlib.sha256()
    with _local_copy(database, location).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _local_copy(database: Database, location: Location) -> Path:
    if location.is_local:
        if not Path(location.uri).is_file():
            raise ArchiveError(f"No such file: {location.uri!r}. Check the path of the table.")
        return Path(location.uri)
    copy = database.folder / "tables" / hashlib.sha256(location.uri.encode()).hexdigest()
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        filesystem, path = location.fsspec()
        try:
            filesystem.get_file(path, str(copy))
        except Exception as error:
            raise ArchiveError(f"Cannot read the table {location}: {words(error)}.") from error
    return copy


def _view_parquet(database: Database, local: Path, location: Location, view: str) -> None:
    for field in pq.read_schema(local):
        kind = (field.metadata or {}).get(b"ARROW:extension:name", b"").decode()
        if kind.startswith("ray.") or str(field.type).startswith("extension<ray."):
            raise UsageError(
                f"{location}: the column {field.name!r} has Ray's own type, which is not safe to "
                "read from files of others. Write it as a plain list."
            )
    database.execute(
        f"create view {view} as select * exclude (file_row_number), file_row_number {ROW} "
        f"from {parquet([local], 'hive_partitioning=false, file_row_number=true')}"
    )


def _load_texts(database: Database, source: CsvFile | JsonLines, view: str) -> list[str]:
    """Write a file's rows to Parquet as texts."""
    columns = source.header()
    schema = pa.schema([*((name, pa.string()) for name in columns), (ROW, pa.int64())])
    target = database.folder / f"{view}.parquet"
    rows = source.rows()
    done = 0
    with pq.ParquetWriter(target, schema) as writer:
        while batch := list(islice(rows, _BATCH_ROWS)):
            texts = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
            numbers = pa.array(range(done, done + len(batch)), pa.int64())
            writer.write_table(pa.Table.from_arrays([*texts, numbers], schema=schema))
            done += len(batch)
    database.execute(f"create view {view} as select * from {parquet([target])}")
    return columns


def give_types(
    database: Database,
    view: str,
    columns: Sequence[str],
    as_text: Callable[[str, pa.DataType], bool],
) -> None:
    """Replace a view of texts by one in which columns have the narrowest type that fits all values.

    Args:
        as_text: Tells by name and type whether a column is left alone, although the type fits.
    """
    checks = [
        f"count({name}) > 0 and bool_and({name} is null or coalesce({check.format(name)}, false))"
        for name in map(identifier, columns)
        for _, check in _AS_WRITTEN
    ]
    fits = iter(database.execute(f"select {', '.join(checks)} from {view}")[0] if checks else ())
    chosen = []
    for column in columns:
        kinds = [kind for kind, _ in _AS_WRITTEN if next(fits)]
        name = identifier(column)
        typed = kinds and not as_text(column, _ARROW[kinds[0]])
        chosen.append(f"cast({name} as {kinds[0]}) {name}" if typed else name)
    database.execute(f"alter view {view} rename to {view}_as_text")
    database.execute(
        f"create view {view} as select {', '.join([*chosen, ROW])} from {view}_as_text"
    )
