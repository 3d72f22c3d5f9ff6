import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artcluster.extension_types import NotParquetError, footer_bytes, refuse_extension_types


def footer(table: pa.Table, **arguments) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **arguments)
    whole = sink.getvalue().to_pybytes()
    return whole[-footer_bytes(whole) :]


class Pickled(pa.ExtensionType):
    def __init__(self):
        super().__init__(pa.int32(), "ray.data.arrow_pickled_object")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        raise AssertionError("the type's bytes were read")


@pytest.mark.parametrize("columns", [1, 300])
def test_a_type_of_ray_is_found_among_any_number_of_columns(columns):
    pickled = pa.ExtensionArray.from_storage(Pickled(), pa.array([1], pa.int32()))
    rows = pa.table({f"column {each}": [1] for each in range(columns)})
    rows = rows.append_column("x", pickled)
    with pytest.raises(NotParquetError, match="extension type of Ray"):
        refuse_extension_types(footer(rows))


def test_a_hidden_schema_is_refused_too():
    stored = footer(pa.table({"x": [1]}))
    with pytest.raises(NotParquetError, match="not readable"):
        refuse_extension_types(stored.replace(b"ARROW:schema\x18", b"ARROW:schema\x18\x04!!!!"))
    with pytest.raises(NotParquetError, match="unknown way"):
        refuse_extension_types(stored.replace(b"ARROW:schema\x18", b"ARROW:schema\x19"))


@pytest.mark.parametrize("store_schema", [True, False])
def test_plain_files_and_other_extensions_pass(store_schema):
    words = pa.array(["ray.data", "ARROW:extension:name"])
    other = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16] * 2, pa.binary(16)))
    rows = pa.table({"ray.x": words, "id": other})
    if store_schema:
        rows = rows.drop_columns(["ray.x"])
    refuse_extension_types(footer(rows, store_schema=store_schema))


@pytest.mark.parametrize("tail", [b"", b"PAR1", b"not parquet"])
def test_other_bytes_are_no_parquet(tail):
    with pytest.raises(NotParquetError, match="Expected a Parquet file"):
        footer_bytes(tail)
