"""What a table of the store is, and short ways to write its columns down."""

from dataclasses import dataclass
from functools import partial

import pyarrow as pa


@dataclass(frozen=True)
class Table:
    """One Delta table.

    Attributes:
        name: Its name, and its folder in the store.
        partition_by: Columns whose values name folders; the files within leave them out.
        rows: What a row is, for docs/schema.md.
    """

    name: str
    schema: pa.Schema
    partition_by: tuple[str, ...] = ()
    rows: str = ""

    @property
    def file_schema(self) -> pa.Schema:
        """The columns of the table's files: all but those of the partition."""
        return pa.schema([column for column in self.schema if column.name not in self.partition_by])


def table(name: str, rows: str, *columns: pa.Field, partition_by: tuple[str, ...] = ()) -> Table:
    """Return a table of columns."""
    return Table(name, pa.schema(columns), partition_by, rows)


def column(kind: pa.DataType, name: str, meaning: str) -> pa.Field:
    """Return a nullable column whose meaning is kept beside it in the store."""
    return pa.field(name, kind, metadata={"comment": meaning})


text = partial(column, pa.string())
texts = partial(column, pa.list_(pa.string()))
int32 = partial(column, pa.int32())
int64 = partial(column, pa.int64())
float32 = partial(column, pa.float32())
float64 = partial(column, pa.float64())
vector = partial(column, pa.list_(pa.float32()))
flag = partial(column, pa.bool_())
time = partial(column, pa.timestamp("us", tz="UTC"))
