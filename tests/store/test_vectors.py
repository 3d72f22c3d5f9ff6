import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artcluster.errors import StoreError, UsageError
from artcluster.schema import EMBEDDINGS
from artcluster.store import Store, shard_name
from artcluster.store.members import as_keys, from_keys, member_id, split_member
from artcluster.store.parquet import read_file
from artcluster.store.vectors import find_vectors, gather, matrix, read_ids, read_vectors
from tests.store.rows import EMBEDDER, PARTITION, assert_right, content_id, vectors

PLENTY = 1 << 30


def fill(store: Store, shards: list[range], partition=PARTITION, dim: int = 4) -> None:
    writer = store.shard_writer(EMBEDDINGS)
    infos = [writer.write(shard_name(str(each)), vectors(each, dim), partition) for each in shards]
    store.commit_shards(EMBEDDINGS, infos, None)


def ids_of(words) -> list[str]:
    return sorted(map(content_id, words))


def test_all_vectors_come_in_batches(store):
    fill(store, [range(10), range(10, 13), range(13, 40)])
    fill(store, [range(100, 105)], {"embedder_id": "other"}, dim=2)
    seen = []
    for ids, x in read_vectors(store, EMBEDDER, batch_rows=8):
        assert len(ids) == len(x) <= 8
        assert x.dtype == np.float32
        assert_right(ids, x)
        seen += ids
    assert sorted(seen) == ids_of(range(40))
    assert sorted(i for _, each in read_ids(store, EMBEDDER) for i in each.to_pylist()) == sorted(
        seen
    )


def test_wanted_vectors_are_gathered_in_order(store):
    fill(store, [range(10), range(10, 40)])
    wanted = [content_id(word) for word in (39, 3, 12, "not there", 3)]
    ids, x = gather(store, EMBEDDER, wanted, limit_bytes=PLENTY)
    assert ids.to_pylist() == ids_of((3, 12, 39))
    assert_right(ids.to_pylist(), x)
    ids, x = gather(store, EMBEDDER, None, limit_bytes=PLENTY)
    assert ids.to_pylist() == ids_of(range(40))
    assert_right(ids.to_pylist(), x)


def test_nothing_gathers_to_nothing(store):
    ids, x = gather(store, EMBEDDER, None, limit_bytes=PLENTY)
    assert (len(ids), len(x)) == (0, 0)
    assert list(read_vectors(store, EMBEDDER)) == []
    fill(store, [range(3)])
    ids, x = gather(store, EMBEDDER, [content_id("none")], limit_bytes=PLENTY)
    assert (len(ids), x.shape) == (0, (0, 4))
    assert list(read_vectors(store, EMBEDDER, [])) == []


def test_the_limit_is_kept(local_store):
    fill(local_store, [range(10)])
    gather(local_store, EMBEDDER, None, limit_bytes=10 * 4 * 4)
    with pytest.raises(UsageError, match="take a sample"):
        gather(local_store, EMBEDDER, None, limit_bytes=10 * 4 * 4 - 1)


def test_parts_of_a_picture_have_vectors_of_their_own(local_store):
    regions = ["", "1,2,30,40", "", "100,2,30,40", "1,2,30,40", ""]
    rows = vectors(range(6)).set_column(1, "region", pa.array(regions))
    info = local_store.shard_writer(EMBEDDINGS).write(shard_name("x"), rows, PARTITION)
    local_store.commit_shards(EMBEDDINGS, [info], None)
    members = [member_id(*each) for each in zip(map(content_id, range(6)), regions, strict=True)]
    ids, x = gather(local_store, EMBEDDER, None, limit_bytes=PLENTY)
    assert ids.to_pylist() == sorted(members)
    assert_right([split_member(each)[0] for each in ids.to_pylist()], x)
    some = [members[3], content_id(1)]  # the second has a part with a vector, but none itself
    assert list(find_vectors(local_store, EMBEDDER, some)) == [members[3]]


def test_views_of_lists_are_no_copies():
    lists = pa.array([[1.0, 2], [3, 4], [5, 6]], pa.list_(pa.float32()))
    x = matrix(lists.slice(1))
    np.testing.assert_array_equal(x, [[3, 4], [5, 6]])
    assert np.shares_memory(x, lists.values.to_numpy())


@pytest.mark.parametrize("rows", [[[1.0], [1.0, 2.0]], [[1.0], None], [[1.0], [None]]])
def test_uneven_vectors_are_refused(rows):
    with pytest.raises(StoreError, match="differ in length"):
        matrix(pa.array(rows, pa.list_(pa.float32())))


def test_a_file_that_vanished_is_named(store):
    fill(store, [range(3)])
    path = store.table("embeddings").paths()[0]
    store._blobs.delete([f"embeddings/{path}"])
    with pytest.raises(StoreError, match=path.rsplit("/", 1)[1]):
        gather(store, EMBEDDER, None, limit_bytes=PLENTY)


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9)))
def test_keys_are_the_ids_again(words):
    assert from_keys(as_keys(words)).to_pylist() == words
    sliced = pa.array(["xx", *words])[1:]
    assert from_keys(as_keys(sliced)).to_pylist() == words


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 40)))
def test_any_choice_is_gathered_whole(tmp_path_factory, there, wanted):
    store = Store.open(tmp_path_factory.mktemp("s") / "store", create=True)
    cut = sorted(there)
    fill(store, [cut[::2], cut[1::2]])
    ids, x = gather(store, EMBEDDER, [content_id(w) for w in wanted], limit_bytes=PLENTY)
    assert ids.to_pylist() == ids_of(there & wanted)
    if len(ids):
        assert_right(ids.to_pylist(), x)


def test_vectors_of_files_without_the_wanted_are_not_read(local_store, monkeypatch):
    """A nightly update wants a few contents of many files."""
    for part in range(3):
        rows = vectors([f"{part}/{row}" for row in range(4)])
        info = local_store.shard_writer(EMBEDDINGS).write(shard_name(str(part)), rows, PARTITION)
        local_store.commit_shards(EMBEDDINGS, [info], None)
    read = []

    def reading(data, columns):
        read.append(list(columns))
        return read_file(data, columns)

    monkeypatch.setattr("artcluster.store.vectors.read_file", reading)
    wanted = [content_id("1/2")]
    ((ids, x),) = read_vectors(local_store, EMBEDDER, wanted)
    assert ids == wanted
    assert_right(ids, x)
    assert sum("embedding" in columns for columns in read) == 1
