import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artcluster.errors import StoreError
from artcluster.schema import ASSIGNMENTS, EMBEDDINGS, IMAGES, RUNS
from artcluster.store import shard_name
from tests.store.rows import EMBEDDER, PARTITION, committed_names, content_id, vectors

NAME = shard_name("part", EMBEDDER)


def test_a_shard_is_there_once_committed(store):
    info = store.shard_writer(EMBEDDINGS).write(NAME, vectors("ab"), PARTITION)
    assert info.rows == 2
    assert store.table("embeddings").rows() == 0
    assert NAME not in committed_names(store)
    assert store.commit_shards(EMBEDDINGS, [info], None) == [info]
    assert NAME in committed_names(store)
    read = store.table("embeddings").read()
    assert sorted(read["content_id"].to_pylist()) == sorted(map(content_id, "ab"))
    assert read.schema.field("embedding").type == pa.list_(pa.float32())
    assert set(read["embedder_id"].to_pylist()) == {EMBEDDER}
    assert len(store.table("embeddings").files(PARTITION)) == 1
    assert store.table("embeddings").files({"embedder_id": "other"}) == []
    assert store.table("embeddings").distinct("embedder_id") == [EMBEDDER]


def test_committing_again_changes_nothing(store):
    info = store.shard_writer(EMBEDDINGS).write(NAME, vectors("ab"), PARTITION)
    store.commit_shards(EMBEDDINGS, [info], None)
    version = store.table("embeddings").version
    assert store.commit_shards(EMBEDDINGS, [info, info], None) == []
    assert store.table("embeddings").version == version
    assert store.table("embeddings").rows() == 2


def test_a_second_writer_adopts_what_is_there(store):
    first = store.shard_writer(EMBEDDINGS).write(NAME, vectors("ab"), PARTITION)
    writer = pickle.loads(pickle.dumps(store.shard_writer(EMBEDDINGS)))
    assert writer.write(NAME, vectors("abc"), PARTITION) == first
    assert pickle.loads(pickle.dumps(first)) == first


def test_shards_of_a_killed_job_are_found(store):
    writer = store.shard_writer(EMBEDDINGS)
    names = [shard_name(str(part)) for part in range(6)]
    written = [writer.write(name, vectors([name]), PARTITION) for name in names[:4]]
    other = {"embedder_id": "other"}
    writer.write(names[5], vectors([5]), other)
    store.commit_shards(EMBEDDINGS, written[:1], None)
    found = store.existing_shards(EMBEDDINGS, PARTITION, names)
    assert found == {info.name: info for info in written[1:]}
    store.commit_shards(EMBEDDINGS, list(found.values()), None)
    assert store.table("embeddings").rows() == 4
    assert committed_names(store) == set(names[:4])
    assert store.existing_shards(EMBEDDINGS, PARTITION, names) == {}


def test_long_footers_are_read_whole(local_store, monkeypatch):
    from artcluster.store import shards

    monkeypatch.setattr(shards, "_FOOTER_BYTES", 64)
    writer = local_store.shard_writer(EMBEDDINGS)
    first = writer.write(NAME, vectors("ab"), PARTITION)
    assert writer.write(NAME, vectors("ab"), PARTITION) == first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop_columns(["region"]), "missing \\['region'\\]"),
        (lambda rows: rows.append_column("more", pa.array([1, 2])), "unknown \\['more'\\]"),
        (
            lambda rows: rows.set_column(1, "region", pa.array([b"\xff", b""])),
            "do not fit|other types",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused(local_store, change, message):
    with pytest.raises(StoreError, match=message):
        local_store.shard_writer(EMBEDDINGS).write(NAME, change(vectors("ab")), PARTITION)


@pytest.mark.parametrize("name", ["a.jpg", "../../x" * 2, "ABCDEFGH1", "x", "a/b" * 5])
def test_names_that_are_no_hashes_are_refused(local_store, name):
    with pytest.raises(ValueError, match="expected a hash"):
        local_store.shard_writer(EMBEDDINGS).write(name, vectors("ab"), PARTITION)


@pytest.mark.parametrize("partition", [{}, {"embedder_id": ""}, {"model_id": "x"}])
def test_wrong_partitions_are_refused(local_store, partition):
    with pytest.raises(ValueError, match="partition"):
        local_store.shard_writer(EMBEDDINGS).write(NAME, vectors("ab"), partition)


def test_a_file_with_other_columns_is_not_committed(local_store):
    folder = f"embeddings/embedder_id=x/{NAME}.parquet"
    sink = pa.BufferOutputStream()
    pq.write_table(vectors("ab").append_column("more", pa.array([1, 2])), sink, store_schema=False)
    local_store.write_bytes(folder, sink.getvalue().to_pybytes())
    found = local_store.existing_shards(EMBEDDINGS, {"embedder_id": "x"}, [NAME])
    with pytest.raises(StoreError, match="unknown columns \\['more'\\]"):
        local_store.commit_shards(EMBEDDINGS, list(found.values()), None)
    assert local_store.table("embeddings").rows() == 0


@pytest.mark.parametrize("content", [b"", b"half a file", b"PAR1" + b"\0" * 20])
def test_a_broken_leftover_is_named(local_store, content):
    local_store.write_bytes(f"embeddings/embedder_id=x/{NAME}.parquet", content)
    with pytest.raises(StoreError, match=f"{NAME}.parquet.*Remove it"):
        local_store.existing_shards(EMBEDDINGS, {"embedder_id": "x"}, [NAME])


class RayType(pa.ExtensionType):
    def __init__(self):
        super().__init__(pa.int32(), "ray.data.arrow_pickled_object")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        raise AssertionError("the type's bytes were read")


@pytest.fixture
def ray_type():
    # As importing ray.data does, which another test of this process may have done.
    try:
        pa.register_extension_type(RayType())
    except pa.ArrowKeyError:
        yield
        return
    yield
    pa.unregister_extension_type("ray.data.arrow_pickled_object")


def test_extension_types_of_ray_are_refused_unread(local_store, ray_type):
    column = pa.ExtensionArray.from_storage(RayType(), pa.array([1, 2], pa.int32()))
    sink = pa.BufferOutputStream()
    pq.write_table(vectors("ab").append_column("more", column), sink)
    local_store.write_bytes(
        f"embeddings/embedder_id=x/{NAME}.parquet", sink.getvalue().to_pybytes()
    )
    with pytest.raises(StoreError, match="extension type of Ray"):
        local_store.existing_shards(EMBEDDINGS, {"embedder_id": "x"}, [NAME])


def assignments(count: int, model: str = "m") -> pa.Table:
    columns = {
        "model_id": [model] * count,
        "content_id": [content_id(each) for each in range(count)],
        "region": [""] * count,
        "cluster": np.arange(count) % 7,
        "confidence": np.ones(count),
        "margin": np.ones(count),
        "distance": np.ones(count),
        "second_cluster": np.zeros(count),
        "low_confidence": [False] * count,
        "outlier": [False] * count,
    }
    return pa.table(columns)


def test_appending_is_one_commit_a_call(store):
    both = pa.concat_tables([assignments(5, "m1"), assignments(6, "m2")])
    assert store.append(ASSIGNMENTS, both) == 11
    assert store.table("assignments").version == 1
    read = store.table("assignments").read(["cluster"], pa.compute.field("model_id") == "m2")
    assert read.num_rows == 6
    assert store.append(ASSIGNMENTS, both.schema.empty_table()) == 0


def test_appending_a_stream_cuts_it_into_files(local_store):
    from artcluster.store.append import append

    rows = assignments(1000)
    reader = rows.to_reader(max_chunksize=300)
    append(local_store.location, ASSIGNMENTS, reader, None, file_bytes=rows.nbytes // 4)
    table = local_store.table(ASSIGNMENTS)
    assert table.version == 1
    assert 4 <= len(table.files()) <= 8
    got = table.read().sort_by("content_id")["content_id"]
    assert got.equals(rows.sort_by("content_id")["content_id"])


def test_tables_not_yet_created_read_as_empty(store):
    for name in ("images", "runs", "metadata", "embeddings"):
        table = store.table(name)
        assert not table.exists()
        assert table.rows() == 0
        assert table.files() == []
        assert table.version == -1
        assert table.read().num_rows == 0
    assert store.table(RUNS).read().schema.names == RUNS.schema.names
    with pytest.raises(ValueError, match="expected one of"):
        store.table("nonsense")


def test_a_column_that_a_newer_program_brings_is_added(store):
    from artcluster.schema import Table

    old = Table("images", pa.schema([each for each in IMAGES.schema if each.name != "format"]))
    row = {name: [None] for name in old.schema.names} | {"path": ["a"], "scan_id": [1]}
    store.append(old, pa.table(row, schema=old.schema))
    assert "format" in store.table("images").read().column_names
    row = {name: [None] for name in IMAGES.schema.names} | {"path": ["b"], "format": ["JPEG"]}
    store.append(IMAGES, pa.table(row, schema=IMAGES.schema))
    read = store.table("images").read(["path", "format"]).sort_by("path").to_pydict()
    assert read == {"path": ["a", "b"], "format": [None, "JPEG"]}


def test_a_column_of_another_type_is_refused(local_store):
    from artcluster.schema import Table

    store = local_store
    store.append(
        Table("images", pa.schema([("scan_id", pa.string())])), pa.table({"scan_id": [""]})
    )
    rows = IMAGES.schema.empty_table()
    with pytest.raises(StoreError, match=r"'scan_id'.*string"):
        store.append(IMAGES, pa.table({n: [None] for n in rows.column_names}, schema=rows.schema))


def test_no_secret_is_written_into_the_log(s3):
    from artcluster.store import Store

    place = s3.location()
    store = Store.open(place, create=True)
    store.append(ASSIGNMENTS, assignments(3))
    for path in store.list(""):
        assert s3.options["AWS_SECRET_ACCESS_KEY"].encode() not in store.read_bytes(path)
