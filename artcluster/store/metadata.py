"""The user's metadata: one table, each source file's rows replaced as a whole by appending.

A replacement appends the source's rows under a new, higher `metadata_version`, in one commit;
readers take the highest of each source. So a run can tell for ever what metadata it was given.

A column's type is the one it came with first. Where later values do not fit, because a year is
`ca. 1900` tonight or in another archive, they are kept in a further column of a wider type,
`year~integer`, `year~number` or `year~text`, and readers see all of them in the widest.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial

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
        UsageError: A column has the name of a key, or the name of another in other case.
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
    columns = _columns(store, rows.schema)
    schema = pa.schema([*METADATA.schema, *columns.values()])
    reader = rows.to_reader() if isinstance(rows, pa.Table) else rows
    batches = _conformed(reader, keys, {new.name: old for old, new in columns.items()}, schema)
    table = Table(METADATA.name, schema)
    store.append(table, pa.RecordBatchReader.from_batches(schema, batches), fence)
    return version


def metadata_version(store: Store, archive_id: str) -> str:
    """Return the version of an archive's metadata, all sources together; '' where it has none."""
    return max(_versions(store, archive_id).values(), default="")


def last_version(store: Store, archive_id: str, source: str) -> str:
    """Return the last version of one source of an archive's metadata; '' where it has none."""
    return _versions(store, archive_id).get(source, "")


def kept_columns(store: Store) -> dict[str, tuple[pa.Field, ...]]:
    """Return the user's columns: name → the columns of the table that its values are kept in."""
    fields = [each for each in store.table(METADATA).schema if each.name not in METADATA_KEYS]
    names = {each.name for each in fields}
    kept: dict[str, tuple[pa.Field, ...]] = {}
    for field in fields:
        name, mark, kind = field.name.rpartition("~")
        of = name if mark and kind in _WIDER and name in names else field.name
        kept[of] = (*kept.get(of, ()), field)
    return kept


def kept_as_text(store: Store, name: str, kind: pa.DataType) -> bool:
    """Tell whether readers would see values of a type as texts in a column, as it is now."""
    kept = kept_columns(store)
    names = {each.lower(): each for each in kept}
    if name.lower() not in names:
        return False
    known = names[name.lower()]
    fields = [*kept[known], _place(store, known, kept[known], kind)]
    return any(pa.types.is_string(field.type) for field in fields)


def column_sql(fields: Sequence[pa.Field], name: Callable[[str], str]) -> str:
    """Return the SQL of a column's value, whichever of the table's columns it is kept in.

    Args:
        fields: Of `kept_columns`.
        name: Quotes a column's name.
    """
    if len(fields) == 1:
        return name(fields[0].name)
    widest = max(fields, key=lambda field: _width(field.type))
    values = [
        f"{name(field.name)}" if field.type == widest.type else _cast(field, widest.type, name)
        for field in fields
    ]
    return f"coalesce({', '.join(values)})"


def _cast(field: pa.Field, kind: pa.DataType, name: Callable[[str], str]) -> str:
    column = name(field.name)
    if not pa.types.is_string(kind):
        return f"CAST({column} AS {'BIGINT' if pa.types.is_integer(kind) else 'DOUBLE'})"
    if pa.types.is_list(field.type):
        column = f"to_json({column})"
    text = f"CAST({column} AS STRING)"
    # A whole number among decimals is written without a point again.
    return f"regexp_replace({text}, '[.]0$', '')" if pa.types.is_floating(field.type) else text


def _versions(store: Store, archive_id: str) -> dict[str, str]:
    """Return the last version by source."""
    found: dict[str, str] = {}
    columns = ["metadata_source", "metadata_version"]
    for batch in store.table(METADATA).batches(columns, pc.field("archive_id") == archive_id):
        for row in pa.table(batch).group_by(columns).aggregate([]).to_pylist():
            source, version = row["metadata_source"], row["metadata_version"]
            found[source] = max(version, found.get(source, ""))
    return found


_WIDER = {"integer": pa.int64(), "number": pa.float64(), "text": pa.string()}
"""Ends of the names of further columns, and their types, the narrowest first."""


_EXACT = 1 << 53
"""Whole numbers up to this are floating-point numbers, too."""


def _columns(store: Store, given: pa.Schema) -> dict[str, pa.Field]:
    """Return the user's columns by name, each as it is called and typed in the table."""
    kept = kept_columns(store)
    names = {name.lower(): name for name in (*METADATA_KEYS, *kept)}
    taken = set(METADATA_KEYS)
    columns: dict[str, pa.Field] = {}
    for column in given:
        if column.name in METADATA_KEYS:
            continue
        name = names.setdefault(column.name.lower(), column.name)
        if name in taken:
            raise UsageError(
                f"The metadata has the column {column.name!r}, a name that is taken (upper and "
                "lower case count as the same). Rename it in the file."
            )
        taken.add(name)
        kind = _stored_type(column.type)
        columns[column.name] = (
            _place(store, name, kept[name], kind) if name in kept else pa.field(name, kind)
        )
    if "path" not in given.names:
        raise UsageError(f"The metadata rows have no 'path', only {given.names}.")
    return columns


def _place(store: Store, name: str, fields: Sequence[pa.Field], kind: pa.DataType) -> pa.Field:
    """Return the first of a column's columns, or a further one, that holds values of a type."""
    for field in fields:
        if pa.types.is_string(field.type) or _holds(field.type, kind):
            return field
    for end, wider in _WIDER.items():
        if all(_holds(wider, each) for each in (kind, *(field.type for field in fields))):
            if end == "number" and _has_long_numbers(store, fields):
                continue
            return pa.field(f"{name}~{end}", wider)
    raise AssertionError("unreachable: everything can be text")


def _holds(kind: pa.DataType, other: pa.DataType) -> bool:
    """Tell whether a column of a type may hold values of another."""
    if kind == other or pa.types.is_string(kind):
        return True
    if pa.types.is_integer(other) and pa.types.is_integer(kind):
        return bool(kind.bit_width >= other.bit_width)
    numbers = pa.types.is_integer(other) or pa.types.is_floating(other)
    return bool(numbers and pa.types.is_float64(kind))


def _width(kind: pa.DataType) -> int:
    if pa.types.is_string(kind):
        return 1000
    if pa.types.is_list(kind) or pa.types.is_binary(kind):
        return 0
    return int(kind.bit_width) + (500 if pa.types.is_floating(kind) else 0)


def _has_long_numbers(store: Store, fields: Sequence[pa.Field]) -> bool:
    """Tell whether whole numbers of a column would lose digits as floating-point numbers."""
    whole = [field.name for field in fields if pa.types.is_int64(field.type)]
    for batch in store.table(METADATA).batches(whole) if whole else ():
        for column in batch.columns:
            least, most = pc.min_max(column).as_py().values()
            if least is not None and max(-least, most) > _EXACT:
                return True
    return False


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
            name = given_names.get(column.name, column.name)
            given = batch.column(name)
            try:
                arrays.append(
                    _as_texts(given) if pa.types.is_string(column.type) else given.cast(column.type)
                )
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as wrong:
                raise UsageError(
                    f"The metadata column {name!r} is {column.type} in this store, and the "
                    f"file has {given.type} that does not fit: {wrong}. Correct the values, or "
                    "give the column another name."
                ) from None
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
    if not some:
        row = {column.name: [keys.get(column.name)] for column in schema}
        yield pa.RecordBatch.from_pydict(row, schema=schema)


def _as_texts(values: pa.Array) -> pa.Array:
    """Return values as texts: whole numbers without a point, lists as JSON."""
    kind = values.type
    if pa.types.is_floating(kind):
        texts = [None if x is None else repr(x).removesuffix(".0") for x in values.to_pylist()]
        return pa.array(texts, pa.string())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lists = values.to_pylist()
        dump = partial(json.dumps, ensure_ascii=False, default=str)
        return pa.array([None if each is None else dump(each) for each in lists], pa.string())
    return values.cast(pa.string())
