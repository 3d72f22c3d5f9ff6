"""How the store's Parquet files are written, and what their footers are trusted to say."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.errors import StoreError
from artcluster.extension_types import NotParquetError, footer_bytes, refuse_extension_types

_ROWS_A_GROUP = 65_536


def encode(table: pa.Table) -> bytes:
    """Write a table as one Parquet file in memory.

    Floats are written plain, which reads several times faster than dictionaries or compression,
    neither of which helps vectors. No Arrow schema is stored: Polars' `scan_delta` would take it
    for more than the table's, and readers that trust it have executed what lies in it.
    """
    leaves = _leaves(table.schema)
    floats = [path for path, kind in leaves if pa.types.is_floating(kind)]
    rest = [path for path, kind in leaves if not pa.types.is_floating(kind)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        row_group_size=_ROWS_A_GROUP,
        use_dictionary=rest,
        compression={**dict.fromkeys(floats, "NONE"), **dict.fromkeys(rest, "ZSTD")},
        write_statistics=rest,
        store_schema=False,
        write_page_checksum=True,
    )
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def decode_footer(tail: bytes) -> pq.FileMetaData | None:
    """Read the footer at the end of a file; None where it begins before `tail`.

    Raises:
        StoreError: This is the end of no Parquet file, or holds a type that is not read.
    """
    try:
        length = footer_bytes(tail)
        if length > len(tail):
            return None
        refuse_extension_types(tail[-length:])
        return pq.read_metadata(pa.BufferReader(tail))
    except (NotParquetError, pa.ArrowInvalid, OSError) as wrong:
        raise StoreError(str(wrong)) from None


def read_file(data: pa.Buffer, columns: Sequence[str] | None) -> pa.Table:
    """Read columns (None: all) of a Parquet file in memory, or mapped into it.

    Raises:
        StoreError: It is no Parquet file, or holds a type that is not read.
    """
    try:
        length = footer_bytes(data.slice(max(0, data.size - 8)).to_pybytes())
        refuse_extension_types(data.slice(max(0, data.size - length)).to_pybytes())
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        return file.read(columns=None if columns is None else list(columns))
    except (NotParquetError, pa.ArrowInvalid, OSError) as wrong:
        raise StoreError(str(wrong)) from None


def _leaves(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    """Return Parquet's path and the type of every leaf column."""

    def below(path: str, kind: pa.DataType) -> list[tuple[str, pa.DataType]]:
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            return below(f"{path}.list.element", kind.value_type)
        if pa.types.is_map(kind):
            parts = (("key", kind.key_type), ("value", kind.item_type))
            return [
                leaf for name, each in parts for leaf in below(f"{path}.key_value.{name}", each)
            ]
        if pa.types.is_struct(kind):
            return [leaf for part in kind for leaf in below(f"{path}.{part.name}", part.type)]
        return [(path, kind)]

    return [leaf for column in schema for leaf in below(column.name, column.type)]
