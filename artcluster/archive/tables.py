"""Opening a user's table, CSV, Parquet or JSONL, as a view of a database with numbered rows."""

import hashlib
import re
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.archive.csv_rows import CsvFile
from artcluster.archive.database import Database, identifier, parquet, quoted
from artcluster.archive.readers import words
from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location

TEXT_TYPES = (
    ("BIGINT", r"-?(0|[1-9][0-9]{0,17})"),
    ("DOUBLE", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"),
    ("BOOLEAN", r"(?i)(true|false)"),
    ("DATE", r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    ("TIMESTAMP", r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"),
)

"""Type → how a text of that type is written, narrowest first. A column of texts takes the first
that all its values fit. Numbers with leading zeros stay text: they are names."""


_AS_STORED = {
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DOUBLE",
    "UHUGEINT": "DOUBLE",
    "TIMESTAMP": "TIMESTAMPTZ",
    "TIMESTAMP_S": "TIMESTAMPTZ",
    "TIMESTAMP_MS": "TIMESTAMPTZ",
    "TIMESTAMP_NS": "TIMESTAMPTZ",
}

_KEPT = re.compile(
    r"(BOOLEAN|TINYINT|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|VARCHAR|BLOB|DATE"
    r"|TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ|DECIMAL\(\d+,\d+\))(\[\d*\])*"
)


def decimals_are_numbers(column: str) -> str:
    """Return the SQL that tells a column of numbers from accession numbers such as 1984.10.

    Those end in a zero that a number would lose, and have fractions of several lengths.
    """
    fraction = f"regexp_extract({column}, '[.]([0-9]+)', 1)"
    return (
        f"(not coalesce(bool_or({fraction} like '%0'), false) "
        f"or count(distinct length({fraction})) = 1)"
    )


def stored_type(kind: str) -> str:
    """Return the DuckDB type in which a column of a type is kept.

    Unsigned integers become signed ones that hold them, times without a zone count as UTC, and
    what Delta tables do not have (times of day, intervals, nested values) becomes text.

    >>> stored_type("BIGINT"), stored_type("UINTEGER"), stored_type("TIME")
    ('BIGINT', 'BIGINT', 'VARCHAR')
    >>> stored_type("VARCHAR[]")
    'VARCHAR[]'
    """
    if kind in _AS_STORED:
        return _AS_STORED[kind]
    return kind if _KEPT.fullmatch(kind) else "VARCHAR"


TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")


ROW = "__row"

"""The column that numbers a table's rows from 0."""


_BATCH_ROWS = 10_000


def open_table(
    database: Database,
    location: Location,
    view: str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    typed: bool = False,
) -> list[str]:
    """Make a table known as a view with its own columns, and `ROW`.

    Args:
        database: Where to.
        location: The table; copied to the scratch folder unless it is local.
        view: The view's name.
        encoding: Of a CSV file; see `CsvFile`.
        delimiter: Of a CSV file.
        typed: Give the columns of a CSV file the narrowest type that all their values have.

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
    if suffix in (".csv", ".tsv"):
        if suffix == ".tsv":
            delimiter = delimiter or "\t"
        source = CsvFile(local, str(location), encoding, delimiter)
        columns = _convert_csv(database, source, view)
        if typed:
            _give_types(database, view, columns)
        return columns
    try:
        if suffix == ".parquet":
            _view_parquet(database, local, location, view)
        else:
            _load_json_lines(database, local, view)
    except (duckdb.Error, pa.ArrowException) as error:
        kind = "Parquet" if suffix == ".parquet" else "one JSON object a line"
        raise UsageError(f"{location}: expected {kind}. {words(error)}.") from None
    return _columns(database, view, location)


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


def _load_json_lines(database: Database, local: Path, view: str) -> None:
    database.execute("set preserve_insertion_order=true")
    database.execute(
        f"create table {view} as select *, row_number() over () - 1 {ROW} from "
        f"read_json({quoted(str(local))}, format='newline_delimited', sample_size=-1)"
    )
    database.execute("set preserve_insertion_order=false")


def _columns(database: Database, view: str, location: Location) -> list[str]:
    names = [row[0] for row in database.execute(f"describe {view}") if row[0] != ROW]
    if len({name.lower() for name in names}) < len(names):
        raise UsageError(
            f"{location}: column names that differ in upper and lower case alone: "
            f"{', '.join(names)}. Rename them."
        )
    return names


def _convert_csv(database: Database, source: CsvFile, view: str) -> list[str]:
    """Write a CSV file's rows to Parquet as text, empty fields as null."""
    columns = source.header()
    schema = pa.schema([*((name, pa.string()) for name in columns), (ROW, pa.int64())])
    target = database.folder / f"{view}.parquet"
    rows = source.rows()
    done = 0
    with pq.ParquetWriter(target, schema) as writer:
        while batch := list(islice(rows, _BATCH_ROWS)):
            texts = [
                pa.array([text or None for text in column], pa.string())
                for column in zip(*batch, strict=True)
            ]
            numbers = pa.array(range(done, done + len(batch)), pa.int64())
            writer.write_table(pa.Table.from_arrays([*texts, numbers], schema=schema))
            done += len(batch)
    database.execute(f"create view {view} as select * from {parquet([target])}")
    return columns


def _give_types(database: Database, view: str, columns: list[str]) -> None:
    """Replace a view of texts by one of narrower types."""
    checks = [
        f"coalesce(bool_and(regexp_full_match({identifier(column)}, {quoted(pattern)}) and "
        f"try_cast({identifier(column)} as {kind}) is not null) and {extra}, false)"
        for column in columns
        for kind, pattern in TEXT_TYPES
        for extra in [decimals_are_numbers(identifier(column)) if kind == "DOUBLE" else "true"]
    ]
    fits = iter(database.execute(f"select {', '.join(checks)} from {view}")[0])
    chosen = []
    for column in columns:
        kinds = [kind for kind, _ in TEXT_TYPES if next(fits)]
        name = identifier(column)
        chosen.append(f"cast({name} as {kinds[0]}) {name}" if kinds else name)
    database.execute(f"alter view {view} rename to {view}_as_text")
    database.execute(f"create view {view} as select {', '.join(chosen)}, {ROW} from {view}_as_text")
