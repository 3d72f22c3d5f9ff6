"""A query's result as CSV, JSON or Parquet, written as it comes."""

import json
from collections.abc import Callable
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq


def write_csv(rows: pa.RecordBatchReader, target: BinaryIO) -> None:
    """Write comma-separated values with a header; lists and structs become JSON."""
    schema = pa.schema([pa.field(each.name, _flat(each.type)) for each in rows.schema])
    with pacsv.CSVWriter(target, schema) as writer:
        for batch in rows:
            columns = [_flattened(each) for each in batch.columns]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def write_json(rows: pa.RecordBatchReader, target: BinaryIO) -> None:
    """Write one array of objects, a row a line."""
    target.write(b"[")
    between = b"\n"
    for batch in rows:
        for row in batch.to_pylist():
            target.write(between + _json(row).encode())
            between = b",\n"
    target.write(b"\n]\n")


def write_parquet(rows: pa.RecordBatchReader, target: BinaryIO) -> None:
    """Write one Parquet file, compressed by zstd."""
    with pq.ParquetWriter(target, rows.schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch)


WRITERS: dict[str, Callable[[pa.RecordBatchReader, BinaryIO], None]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
}
"""Formats by name."""


def _flat(kind: pa.DataType) -> pa.DataType:
    simple = (
        pa.types.is_primitive(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_decimal(kind)
    )
    text_only = pa.types.is_duration(kind) or pa.types.is_interval(kind)
    return kind if simple and not text_only else pa.string()


def _flattened(column: pa.Array) -> pa.Array:
    kind = _flat(column.type)
    if kind == column.type:
        return column
    texts = [
        value if value is None or isinstance(value, str) else _text(value)
        for value in column.to_pylist()
    ]
    return pa.array(texts, kind)


def _text(value: Any) -> str:
    return _plain(value) if isinstance(value, bytes) else _json(value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(value), ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _without_nan(value: Any) -> Any:
    """Put null for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
