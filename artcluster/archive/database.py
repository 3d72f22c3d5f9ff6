"""A DuckDB for one question about many rows: bounded memory, spilling to a scratch folder."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import obstore
import pyarrow as pa
import pyarrow.dataset as ds

from artcluster.archive.buckets import first_line
from artcluster.errors import ArtclusterError
from artcluster.location import Location

Relation: TypeAlias = "Sequence[str | Path] | ds.Dataset | pa.Table"
"""Rows handed in: local Parquet files (leanest), a pyarrow dataset, or a table."""


# Each cursor has a time zone of its own, which is the machine's otherwise.
_ZONE = "set timezone='UTC'"
_GLOB = re.compile(r"([*?\[])")


@dataclass(frozen=True)
class Limits:
    """What a database may use.

    Attributes:
        memory_bytes: DuckDB spills to disk beyond this.
        threads: DuckDB's threads.
        scratch: Folder for temporary files; by default the system's.
    """

    memory_bytes: int = 256 << 20
    threads: int = 2
    scratch: Path | None = None


class Database:
    """One DuckDB in a scratch folder that goes away with it."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self._connection = duckdb.connect()
        self._connection.execute(f"set memory_limit='{limits.memory_bytes // 1024}KiB'")
        self._connection.execute(f"set threads={limits.threads}")
        self._connection.execute(f"set temp_directory={quoted(str(folder / 'spill'))}")
        self._connection.execute("set preserve_insertion_order=false")
        self._connection.execute(_ZONE)

    def execute(self, query: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows.

        Raises:
            ArtclusterError: DuckDB failed: the scratch disk is full, or a value does not fit.
        """
        with _explained():
            return list(self._connection.execute(query).fetchall())

    def table(self, query: str) -> pa.Table:
        """Run a query whose result is small enough to hold."""
        with _explained():
            return self._connection.sql(query).to_arrow_table()

    def batches(self, query: str, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Stream a query's result; other queries may run meanwhile."""
        with _explained():
            session = self._connection.cursor()
            session.execute(_ZONE)
            yield from session.sql(query).to_arrow_reader(rows)

    def register(self, name: str, relation: Relation, schema: pa.Schema) -> None:
        """Make rows known under a name.

        Args:
            name: The view's name in queries.
            relation: The rows.
            schema: Columns that the view has in any case; null where the relation lacks them.
        """
        self._connection.register(f"{name}_columns", schema.empty_table())
        rows = f"{name}_given"
        if isinstance(relation, ds.Dataset | pa.Table):
            self._connection.register(rows, relation)
        elif relation:
            rows = parquet(relation, "hive_partitioning=false, union_by_name=true")
        else:
            rows = f"{name}_columns"
        self.execute(
            f"create view {name} as select * from {rows} "
            f"union all by name select * from {name}_columns"
        )

    def fetch_files(self, location: Location, names: Sequence[str]) -> list[Path]:
        """Return local paths of files, copied to the scratch folder where they lie elsewhere."""
        if location.is_local:
            return [Path(location.uri, name) for name in names]
        copies = []
        store = location.objects()
        for name in names:
            copy = self.folder / "copies" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("wb") as file:
                for chunk in obstore.get(store, name).stream():
                    file.write(chunk)
            copies.append(copy)
        return copies


@contextmanager
def open_database(limits: Limits) -> Iterator[Database]:
    """Open an empty database; its files are deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="artcluster-", dir=limits.scratch) as folder:
        database = Database(Path(folder), limits)
        try:
            yield database
        finally:
            database._connection.close()


def parquet(files: Sequence[str | Path], option: str = "hive_partitioning=false") -> str:
    """Return the SQL table function that reads Parquet files.

    >>> parquet(["/a/it's [1].parquet"])
    "read_parquet(['/a/it''s [[]1].parquet'], hive_partitioning=false)"
    """
    names = ", ".join(quoted(_GLOB.sub(r"[\1]", str(file))) for file in files)
    return f"read_parquet([{names}], {option})"


def quoted(text: str) -> str:
    """Return a text as an SQL string.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a column's name as SQL.

    >>> identifier('the "old" title')
    '"the ""old"" title"'
    """
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise ArtclusterError(
            f"Comparing tables on disk failed: {first_line(error)}. Expected the store's files to "
            "be whole (`artcluster check STORE` tells), and room for temporary ones: if the disk "
            "is full, set TMPDIR to another."
        ) from error
