import random
import threading

import pytest

from artcluster.schema import EMBEDDINGS
from artcluster.store import shard_name
from tests.store.rows import PARTITION, assert_right, committed_names
from tests.store.worker import ROWS, Worker

KILLS = 3


@pytest.mark.faults
def test_a_writer_killed_again_and_again_loses_and_doubles_nothing(store):
    """A reader looks all the while; every commit that was answered must be there."""
    done = threading.Event()
    wrong: list[str] = []

    def read_on():
        last = 0
        while not done.wait(0.02):
            table = store.table("embeddings")
            ids = table.read(["content_id"])["content_id"].to_pylist()
            if len(ids) != table.rows() or len(set(ids)) != len(ids) or len(ids) % ROWS:
                wrong.append(f"{len(ids)} rows, {len(set(ids))} distinct")
            if len(ids) < last:
                wrong.append(f"{last} rows, then {len(ids)}")
            last = len(ids)

    reader = threading.Thread(target=read_on)
    reader.start()
    chance = random.Random(7)
    answered: set[int] = set()
    try:
        for _ in range(KILLS):
            worker = Worker(store)
            worker.say(do="commit on and on", first=max(answered, default=-1) + 1)
            assert worker.hear() == "held"
            for _ in range(chance.randint(2, 5)):
                answered.add(int(worker.hear()))
            # Into the midst of the next write or commit, wherever that is just now.
            threading.Event().wait(chance.uniform(0, 0.05))
            worker.end()
    finally:
        done.set()
        reader.join()
    assert wrong == []
    names = committed_names(store)
    assert {shard_name(str(part)) for part in answered} <= names
    rest = store.existing_shards(EMBEDDINGS, PARTITION, [shard_name(str(p)) for p in range(99)])
    assert len(rest) <= KILLS
    with store.lease("embeddings", [EMBEDDINGS]) as lease:
        store.commit_shards(EMBEDDINGS, list(rest.values()), lease.fence)
    read = store.table("embeddings").read()
    assert read.num_rows == (len(names) + len(rest)) * ROWS
    assert_right(read["content_id"].to_pylist(), _matrix(read))


@pytest.mark.faults
def test_acknowledged_commits_outlive_the_server(s3):
    from artcluster.store import Store

    store = Store.open(s3.location(), create=True)
    worker = Worker(store)
    worker.say(do="commit on and on", first=0)
    assert worker.hear() == "held"
    answered = {int(worker.hear()) for _ in range(3)}
    s3.kill()
    worker.end()
    s3.start()
    names = committed_names(store)
    assert {shard_name(str(part)) for part in answered} <= names
    assert store.table("embeddings").read().num_rows == len(names) * ROWS


def _matrix(read):
    return read["embedding"].combine_chunks().values.to_numpy().reshape(read.num_rows, -1)
