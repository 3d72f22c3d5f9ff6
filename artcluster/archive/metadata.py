"""Metadata: a user's table joined to the images of an archive, without touching these."""

from collections.abc import Callable, Iterator, Mapping
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
from artcluster.archive.matching import Many, match
from artcluster.archive.tables import content_version, give_types, open_table, stored
from artcluster.archive.text_tables import IMAGE, ROW
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

# Spark does not read Delta tables whose columns have these in their names, but for the tilde, which
# the store marks columns of a wider type with.
_NOT_IN_NAMES = str.maketrans(dict.fromkeys(" ,;{}()\n\t=~", "_"))

_PATHS = pa.schema([("path", pa.string())])


@dataclass(frozen=True)
class MetadataReport:
    """How well a table fits an archive.

    Attributes:
        rows: Rows of the table.
        repeated: Rows that are the same as an earlier one in every column; they count as one.
        matched: Rule → rows that it gave their image.
        ambiguous: Rows that fit several images. Not joined.
        rivals: Rows whose image other rows name as well. Not joined.
        strays: Rows that have the file name of an image in another folder. Not joined.
        unmatched: Rows that fit no image, strays among them. Not joined.
        images: Images of the archive.
        images_with: Images that got a row.
        examples: Some values of the rows behind each figure, by the names above and by rule, some
            with the path of an image; and `without`: paths of images that got no row.
        columns: The user's name of a column → its name in the table.
    """

    rows: int
    repeated: int
    matched: Mapping[str, int]
    ambiguous: int
    rivals: int
    strays: int
    unmatched: int
    images: int
    images_with: int
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

    def __init__(
        self, database: Database, source: str, version: str, archive_id: str, many: Many
    ) -> None:
        self.source = source
        self.version = version
        self._database = database
        columns = _stored_columns(database)
        self.report = _report(database, columns)
        rows = (
            f"(select t.*, p.path as {IMAGE} from user_rows t "
            f"join matched m on t.{ROW} = m.row join pictured p on m.image = p.image)"
        )
        if many == "list":
            rows = f"({_as_lists(database, rows, [name for name, *_ in columns])})"
        kinds = {
            name: kind for name, kind, *_ in database.execute(f"describe select * from {rows}")
        }
        keys = (quoted(archive_id), IMAGE, quoted(source), quoted(version))
        chosen = [
            *(f"{value} as {key}" for value, key in zip(keys, METADATA_KEYS, strict=True)),
            *(
                f"{stored(identifier(name), kinds[name])} as {identifier(new)}"
                for name, new in columns
            ),
        ]
        self._query = f"select {', '.join(chosen)} from {rows}"
        self.schema = database.table(f"{self._query} limit 0").schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the joined rows in the table's order."""
        yield from self._database.batches(f"{self._query} order by {ROW}")

    def paths(self, filled: str | None = None) -> pa.Table:
        """Return the column `path` of the joined rows; of those that have a value in a column."""
        where = "true" if filled is None else f"{identifier(filled)} is not null"
        return self._database.table(f"select path from ({self._query}) where {where}")

    def table(self) -> pa.Table:
        """Return the joined rows at once."""
        return pa.Table.from_batches(self.batches(), self.schema)


def _as_lists(database: Database, rows: str, columns: list[str]) -> str:
    """Return the query of one row per image, columns that differ between its rows as lists."""
    names = [identifier(name) for name in columns]
    counts = ", ".join(f"count(distinct {name}) as {name}" for name in names)
    most = ", ".join(f"max({name})" for name in names)
    differing = database.execute(
        f"select {most} from (select {counts} from {rows} group by {IMAGE})"
    )
    chosen = [
        f"{'list' if (values or 0) > 1 else 'first'}({name} order by {ROW}) as {name}"
        for name, values in zip(names, differing[0], strict=True)
    ]
    return f"select min({ROW}) as {ROW}, {IMAGE}, {', '.join(chosen)} from {rows} group by {IMAGE}"


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
    many: Many = "skip",
    ignore_folders: bool = False,
    as_text: Callable[[str, pa.DataType], bool] | None = None,
    limits: Limits | None = None,
) -> Iterator[MetadataJoin]:
    """Join a CSV, Parquet or JSONL table to an archive's images.

    A row names its image by its path, or by a part of it (see `matching`); where there is doubt it
    is not joined, but counted. Rows that are the same in every column count as one.

    Args:
        source: The table.
        archive: The archive; values may also be full addresses below it.
        images: Rows with a `path`: the files of a scan, or `images` rows of this archive.
        column: The column that names the image; by default the first of `JOIN_COLUMNS`.
        encoding: Of a CSV or JSONL file; by default UTF-8, or what its byte order mark says.
        delimiter: Of a CSV file; by default found in its header.
        many: What to do with several rows of one image. With `list`, columns in which such rows
            differ become lists, in the table's order.
        ignore_folders: Compare file names only, whatever folders the rows state.
        as_text: Tells by name and type whether a column's texts stay as they are written, although
            they fit the type.
        limits: What the join may use.

    Raises:
        UsageError: The table cannot be read or has no such column.
        ArchiveError: The table is not there.
    """
    with open_database(limits or Limits()) as database:
        version = content_version(database, source)
        columns = open_table(database, source, "user_rows", encoding=encoding, delimiter=delimiter)
        if not source.uri.lower().endswith(".parquet"):
            new = dict(_stored_columns(database))
            stays = as_text or (lambda *_: False)
            give_types(database, "user_rows", columns, lambda name, kind: stays(new[name], kind))
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
        _drop_repeated(database, columns)
        match(database, archive.uri, many=many, ignore_folders=ignore_folders)
        yield MetadataJoin(database, str(source), version, archive_id, many)


def _drop_repeated(database: Database, columns: list[str]) -> None:
    """Take rows out of `named` that are the same as an earlier one in every column."""
    every = ", ".join(map(identifier, columns))
    database.execute(
        "create table repeated as select row from ("
        f"select {ROW} as row, min({ROW}) over (partition by {every}) as first from user_rows "
        f"where {ROW} in (select row from named where value in "
        "(select value from named group by value having count(*) > 1))"
        ") where row > first"
    )
    database.execute("delete from named where row in (select row from repeated)")


def check_table(
    source: Location,
    *,
    column: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    limits: Limits | None = None,
) -> list[str]:
    """Return the names that a table's columns would have in the store; arguments as above.

    Raises:
        UsageError: The table cannot be read, or no column names the image.
        ArchiveError: The table is not there.
    """
    with open_database(limits or Limits()) as database:
        columns = open_table(database, source, "user_rows", encoding=encoding, delimiter=delimiter)
        _join_column(columns, column, source)
        return [stored for _, stored, *_ in _stored_columns(database)]


def _join_column(columns: list[str], wanted: str | None, source: Location) -> str:
    names = {name.lower(): name for name in columns}
    for name in (wanted,) if wanted else JOIN_COLUMNS:
        if name.lower() in names:
            return names[name.lower()]
    expected = repr(wanted) if wanted else f"one of {', '.join(JOIN_COLUMNS)}"
    raise UsageError(
        f"{source}: expected the column {expected} to name the image, got the columns "
        f"{', '.join(columns)}. Name the right one with --metadata-join COLUMN."
    )


def stored_name(name: str) -> str:
    """Return a user's column name without the characters that Delta tables do not allow.

    >>> stored_name("Title (English)")
    'Title__English_'
    """
    return name.translate(_NOT_IN_NAMES)


def _stored_columns(database: Database) -> list[tuple[str, str]]:
    """Return the user's columns, each with its name in the table."""
    taken = set(METADATA_KEYS)
    found = []
    for name, *_ in database.execute("describe user_rows"):
        if name == ROW:
            continue
        new = stored_name(name)
        while new.lower() in taken:
            new = PREFIX + new
        taken.add(new.lower())
        found.append((name, new))
    return found


def _report(database: Database, columns: list[tuple[str, str]]) -> MetadataReport:
    def count(query: str) -> int:
        ((number,),) = database.execute(f"select count(*) from {query}")
        return int(number)

    def some(query: str) -> tuple[str, ...]:
        return tuple(str(text) for (text,) in database.execute(f"{query} limit {_EXAMPLES}"))

    def pairs(table: str, where: str = "true") -> tuple[str, ...]:
        return some(
            "select format('{}: {}', value, path) from (select distinct on (row) row, image "
            f"from {table} where {where} order by row) join named using (row) "
            "join pictured using (image) order by row"
        )

    joined = dict(
        database.execute("select rule, count(*) from matched group by rule order by 2 desc, 1")
    )
    unmatched = (
        "named anti join matched using (row) anti join ambiguous using (row) "
        "anti join rivals using (row)"
    )
    without = "pictured anti join matched using (image)"
    examples = {
        "ambiguous": some("select value from named semi join ambiguous using (row) order by row"),
        "rivals": pairs("rivals"),
        "strays": pairs("strays"),
        "unmatched": some(f"select coalesce(value, '') from {unmatched} order by row"),
        "without": some(f"select path from {without} order by path"),
    }
    return MetadataReport(
        rows=count("user_rows"),
        repeated=count("repeated"),
        matched=joined,
        ambiguous=count("ambiguous"),
        rivals=count("rivals"),
        strays=count("strays"),
        unmatched=count(unmatched),
        images=count("pictured"),
        images_with=count("pictured semi join matched using (image)"),
        examples=examples | {rule: pairs("matched", f"rule = {quoted(rule)}") for rule in joined},
        columns=dict(columns),
    )
