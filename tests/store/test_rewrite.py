"""Files taken out of a table and others put in, in one commit, on a disk and on S3."""

import pyarrow as pa
import pytest

from artcluster.errors import FencedError
from artcluster.schema import EMBEDDINGS, RUNS
from artcluster.store import Fence, Store, shard_name
from artcluster.store.delta import checkpoint_log
from artcluster.store.rewrite import read_rows, remove_partitions, remove_rows, replace_files
from tests.store.rows import PARTITION, vectors

FENCE = Fence("artcluster/vacuum", 1)


def commit(store: Store, count: int):
    infos = []
    for part in range(count):
        rows = vectors([f"{part}/{row}" for row in range(3)])
        infos.append(store.shard_writer(EMBEDDINGS).write(shard_name(str(part)), rows, PARTITION))
    store.commit_shards(EMBEDDINGS, infos, None)
    return infos


def merge(store: Store, infos, fence: Fence = FENCE) -> bool:
    paths = [info.path for info in infos]
    tables = [read_rows(store._blobs, EMBEDDINGS, path) for path in paths]
    merged = store.shard_writer(EMBEDDINGS).write(
        shard_name("merged", *paths), pa.concat_tables(tables), PARTITION
    )
    return replace_files(
        store.location, EMBEDDINGS, paths, [merged], [fence], same_rows=True, final=True
    )


def ids(reader) -> list[str]:
    return sorted(reader.read(["content_id"])["content_id"].to_pylist())


def test_rows_are_the_same_before_and_after(store):
    infos = commit(store, 4)
    before = store.table(EMBEDDINGS)
    assert merge(store, infos[:3])
    after = store.table(EMBEDDINGS)
    assert len(after.paths()) == 2
    assert ids(before) == ids(after)
    assert after.rows() == 12
    # Merged files are not committed again, however a job comes by them.
    assert store.existing_shards(EMBEDDINGS, PARTITION, [info.name for info in infos]) == {}
    assert store.commit_shards(EMBEDDINGS, infos, Fence("artcluster/embeddings=x", 1)) == []
    assert ids(store.table(EMBEDDINGS)) == ids(before)


def test_files_that_are_not_there_change_nothing(store):
    infos = commit(store, 3)
    assert merge(store, infos[:2])
    assert not merge(store, infos)
    assert store.table(EMBEDDINGS).rows() == 9


def test_who_was_replaced_cannot_commit(local_store):
    infos = commit(local_store, 3)
    assert merge(local_store, infos[:2], Fence("artcluster/vacuum", 2))
    left = local_store.table(EMBEDDINGS).paths()
    with pytest.raises(FencedError):
        replace_files(
            local_store.location, EMBEDDINGS, left, [], [FENCE], same_rows=False, final=False
        )
    assert local_store.table(EMBEDDINGS).rows() == 9


def test_what_others_commit_meanwhile_stays(local_store, monkeypatch):
    infos = commit(local_store, 2)
    write, late = type(local_store._blobs).write_if_absent, []

    def commit_first(self, path, data):
        if "_delta_log" in path and not late:
            late.append(path)
            rows = vectors(["late"])
            info = local_store.shard_writer(EMBEDDINGS).write(shard_name("late"), rows, PARTITION)
            local_store.commit_shards(EMBEDDINGS, [info], None)
        return write(self, path, data)

    monkeypatch.setattr(type(local_store._blobs), "write_if_absent", commit_first)
    assert merge(local_store, infos)
    assert late
    assert local_store.table(EMBEDDINGS).rows() == 7


def test_removed_rows_may_come_back(store):
    infos = commit(store, 2)
    remove_partitions(store, EMBEDDINGS, list(PARTITION.values()), [FENCE])
    assert store.table(EMBEDDINGS).rows() == 0
    store.commit_shards(EMBEDDINGS, infos, None)
    assert store.table(EMBEDDINGS).rows() == 6


def test_rows_go_by_their_key_and_the_log_is_put_together(local_store):
    for number in range(12):
        row = dict.fromkeys(RUNS.schema.names) | {"run_id": f"r{number}"}
        local_store.append(RUNS, pa.Table.from_pylist([row], RUNS.schema))
    remove_rows(local_store, RUNS, "run_id", {"r3", "r4"}, [FENCE])
    left = sorted(f"r{number}" for number in range(12) if number not in (3, 4))
    assert sorted(local_store.table(RUNS).read(["run_id"])["run_id"].to_pylist()) == left
    checkpoint_log(local_store.location, "runs")
    assert any("checkpoint" in path for path in local_store.list("runs/_delta_log"))
    assert sorted(local_store.table(RUNS).read(["run_id"])["run_id"].to_pylist()) == left
    # The checkpoint remembers who committed last.
    with pytest.raises(FencedError):
        remove_rows(local_store, RUNS, "run_id", {"r5"}, [Fence("artcluster/vacuum", 0)])
