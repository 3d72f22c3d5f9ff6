"""The user's metadata: one table, each source file's rows replaced as a whole by appending.

A replacement appends the source's rows under a new, higher `metadata_version`, in one commit;
readers take the highest of each source. So a run can tell for ever what metadata it was given.
"""

import hashlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.errors import UsageError
from artcluster.schema import METADATA, METADATA_KEYS, Table
from artcluster.store.lease import Fence
from artcluster.store.store import Store


def replace_metadata(
    store: Store,
    archive_id: str,
    source: str,
    content: str,
    rows: pa.Table | pa.RecordBatchReader,
    fence: Fence | None,
) -> str:
    """Replace all rows of one source of an archive's metadata.

    Args:
        source: Names the file the rows come from; its rows so far no longer count.
        content: Says what the rows were made from, such as the file's hash and the scan they were
            joined to. The same as the source's last time: nothing is written.
        rows: `path` (as in `images`), and the user's columns. Other keys of the table are set here.
        fence: What the writer's lease gave it.

    Returns:
        The version now, of this source; versions of one archive sort as they were written.

    Raises:
        UsageError: A column has another type than before, that does not hold its values.
        FencedError: Another job holds the lease now.
    """
    known = _versions(store, archive_id)
    mark = hashlib.sha256(content.encode()).hexdigest()[:12]
    last = known.get(source, "")
    if last.endswith(f"-{mark}"):
        return last
    number = 1 + max((int(each.split("-", 1)[0]) for each in known.values()), default=0)
    version = f"{number:08d}-{mark}"
    keys = {"archive_id": archive_id, "metadata_source": source, "metadata_version": version}
    present = store.table(METADATA).schema
    columns = _columns(rows.schema, present)
    schema = pa.schema([*METADATA.schema, *columns.values()])
    reader = rows.to_reader() if isinstance(rows, pa.Table) else rows
    batches = _conformed(reader, keys, {new.name: old for old, new in columns.items()}, schema)
    table = Table(METADATA.name, schema)
    store.append(table, pa.RecordBatchReader.from_batches(schema, batches), fence)
    return version


def metadata_version(store: Store, archive_id: str) -> str:
    """Return the version of an archive's metadata, all sources together; '' where it has none."""
    return max(_versions(store, archive_id).values(), default="")


def _versions(store: Store, archive_id: str) -> dict[str, str]:
    """Return the last version by source."""
    found: dict[str, str] = {}
    columns = ["metadata_source", "metadata_version"]
    for batch in store.table(METADATA).batches(columns, pc.field("archive_id") == archive_id):
        for row in pa.table(batch).group_by(columns).aggregate([]).to_pylist():
            source, version = row["metadata_source"], row["metadata_version"]
            found[source] = max(version, found.get(source, ""))
    return found


def _columns(given: pa.Schema, present: pa.Schema) -> dict[str, pa.Field]:
    """Return the user's columns by name, each as it is called and typed in the table."""
    names = {name.lower(): name for name in present.names}
    columns: dict[str, pa.Field] = {}
    for column in given:
        if column.name in METADATA_KEYS:
            continue
        name = names.setdefault(column.name.lower(), column.name)
        if name in METADATA_KEYS or any(new.name == name for new in columns.values()):
            raise UsageError(
                f"The metadata has the column {column.name!r}, a name that is taken (upper and "
                "lower case count as the same). Rename it in the file."
            )
        index = present.get_field_index(name)
        columns[column.name] = pa.field(
            name, _stored_type(column.type) if index < 0 else present.field(index).type
        )
    if "path" not in given.names:
        raise UsageError(f"The metadata rows have no 'path', only {given.names}.")
    return columns


def _stored_type(kind: pa.DataType) -> pa.DataType:
    """Return the type a new column is kept in, of those that Delta has."""
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_time(kind):
        return pa.string()
    if pa.types.is_dictionary(kind):
        return _stored_type(kind.value_type)
    if pa.types.is_unsigned_integer(kind):
        return pa.int64()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_stored_type(kind.value_type))
    return kind


def _conformed(
    batches: pa.RecordBatchReader,
    keys: dict[str, str],
    given_names: dict[str, str],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    """Yield the batches under the table's columns; a source without rows leaves its mark alone."""
    some = False
    for batch in batches:
        some = some or batch.num_rows > 0
        arrays = []
        for column in schema:
            if column.name in keys:
                arrays.append(pa.repeat(pa.scalar(keys[column.name], column.type), batch.num_rows))
                continue
            given = batch.column(given_names.get(column.name, column.name))
            try:
                arrays.append(given.cast(column.type))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as wrong:
                raise UsageError(
                    f"The metadata column {column.name!r} is {column.type} in this store, and the "
                    f"file has {given.type} that does not fit: {wrong}. Correct the values, or "
                    "give the column another name."
                ) from None
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
    if not some:
        row = {column.name: [keys.get(column.name)] for column in schema}
        yield pa.RecordBatch.from_pydict(row, schema=schema)
