import numpy as np
import pyarrow as pa
import pytest

from artcluster.executors.ray.steps import SCHEMA, pack, unpack


def same(one, two):
    if isinstance(one, np.ndarray):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)
    elif isinstance(one, dict):
        assert list(one) == list(two)
        for key in one:
            same(one[key], two[key])
    else:
        assert one == two


@pytest.mark.parametrize(
    "item",
    [
        None,
        {"paths": ["a", "ü"], "n": 3},
        {"pixels": np.arange(60_000, dtype=np.uint8).reshape(2, 100, 300)},
        {
            "a": np.arange(9_001, dtype=np.int64),
            "b": np.ones((7, 3001), np.float32),
            "c": np.zeros(3),
        },
        {"fortran": np.asfortranarray(np.arange(40_000.0).reshape(200, 200))},
        {"empty": np.zeros((0, 224, 224, 3), np.uint8)},
        {"strided": np.arange(80_000)[::2]},
    ],
)
def test_an_item_comes_out_as_it_went_in(item):
    row = pack(7, item)
    assert row.schema == SCHEMA
    assert row.num_rows == 1
    number, copy = unpack(row)
    assert number == 7
    same(item, copy)


def test_a_large_array_is_copied_neither_in_nor_out():
    pixels = np.zeros((10, 1000, 1000), np.uint8)
    _, copy = unpack(pack(0, {"pixels": pixels}))
    assert np.shares_memory(pixels, copy["pixels"])


def test_a_row_survives_the_arrow_format():
    row = pack(3, {"pixels": np.arange(70_000)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, row.schema) as writer:
        writer.write_table(row)
    table = pa.ipc.open_stream(sink.getvalue()).read_all()
    number, item = unpack(table)
    assert number == 3
    np.testing.assert_array_equal(item["pixels"], np.arange(70_000))
