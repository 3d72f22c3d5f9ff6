"""A query's result as CSV, JSON or Parquet, written as it comes."""

import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq


def write_csv(rows: pa.RecordBatchReader, target: BinaryIO) -> None:
    """Write comma-separated values with a header; lists and structs become JSON."""
    rows = _as_text(rows, lambda kind: not _is_simple(kind))
    with pacsv.CSVWriter(target, rows.schema) as writer:
        for batch in rows:
            writer.write_batch(batch)


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
    """Write one Parquet file, compressed by zstd; intervals, which it lacks, become text."""
    rows = _as_text(rows, lambda kind: pa.types.is_interval(kind) or pa.types.is_null(kind))
    with pq.ParquetWriter(target, rows.schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch)


WRITERS: dict[str, Callable[[pa.RecordBatchReader, BinaryIO], None]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
}
"""Formats by name."""


def _as_text(
    rows: pa.RecordBatchReader, wanted: Callable[[pa.DataType], bool]
) -> pa.RecordBatchReader:
    """Put text in the place of columns of some types."""
    chosen = [wanted(each.type) for each in rows.schema]
    schema = pa.schema(
        [
            pa.field(each.name, pa.string()) if text else each
            for each, text in zip(rows.schema, chosen, strict=True)
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            columns = [
                pa.array([_text(value) for value in column.to_pylist()], pa.string())
                if text
                else column
                for column, text in zip(batch.columns, chosen, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _is_simple(kind: pa.DataType) -> bool:
    if pa.types.is_duration(kind) or pa.types.is_interval(kind):
        return False
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(texts or pa.types.is_primitive(kind) or pa.types.is_decimal(kind))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
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
