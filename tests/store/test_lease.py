import json
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from artcluster.errors import FencedError, LeaseHeldError, StoreError
from artcluster.schema import EMBEDDINGS
from artcluster.store import Fence, Store, delta
from artcluster.store.blobs import Blobs
from artcluster.store.lease import Lease, Record, lease_holders
from artcluster.store.process import Process, current_command
from tests.store.worker import LEASE, ROWS, Worker, commit_part

ELSEWHERE = Process("other-machine", "another-boot", 17, "99")


def files(store: Store) -> list[str]:
    return sorted(store.list("leases"))


def test_one_holder_at_a_time(store):
    with store.lease("x") as held:
        assert held.fence == Fence("artcluster/x", 1)
        with pytest.raises(LeaseHeldError) as caught, store.lease("x"):
            pass
        for part in (
            str(os.getpid()),
            socket.gethostname(),
            current_command(),
            "Wait for it to end",
        ):
            assert part in str(caught.value)
        with store.lease("y"):
            pass
        held.check()
    with store.lease("x") as again:
        assert again.fence.epoch == 2
    assert files(store) == ["leases/x/0000000002.json", "leases/y/0000000001.json"]


def test_names_with_slashes_stay_apart(local_store):
    with local_store.lease("a"), local_store.lease("a/b"), local_store.lease("a/0000000009"):
        pass
    with local_store.lease("a") as lease:
        assert lease.fence.epoch == 2


def test_of_many_who_try_at_once_one_wins(store):
    start = threading.Barrier(8)
    held = threading.Event()

    def attempt(_):
        start.wait()
        try:
            with store.lease("x"):
                held.wait()
                return 1
        except LeaseHeldError:
            return 0

    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(attempt, each) for each in range(8)]
        while sum(each.done() for each in tries) < 7:
            pass
        held.set()
        assert sum(each.result() for each in tries) == 1


def test_who_waits_gets_it_when_it_falls_free(local_store):
    got = threading.Event()

    def wait():
        with local_store.lease("x", wait_s=60) as lease:
            assert lease.fence.epoch == 2
            got.set()

    with local_store.lease("x"):
        waiter = threading.Thread(target=wait)
        waiter.start()
    waiter.join()
    assert got.is_set()


def test_a_dead_process_of_this_machine_is_followed_at_once(local_store):
    worker = Worker(local_store)
    worker.say(do="hold", ttl_s=3600)
    assert worker.hear() == "held"
    with pytest.raises(LeaseHeldError), local_store.lease(LEASE):
        pass
    worker.process.kill()
    # Not yet reaped: a zombie process counts as dead.
    os.waitid(os.P_PID, worker.process.pid, os.WEXITED | os.WNOWAIT)
    with local_store.lease(LEASE) as lease:
        assert lease.fence.epoch == 2
    worker.end()


def forge(store: Store, **fields) -> None:
    """A lease held by a process of another machine, which renews nothing."""
    given = {"since": "2020-01-01T00:00:00+00:00", "note": "", "ttl_s": 0.2, **fields}
    record = Record(epoch=4, token="t", holder=ELSEWHERE, **given)
    store.write_bytes("leases/x/0000000004.json", record.to_json())


def test_a_holder_elsewhere_that_stands_still_for_its_term_is_followed(store):
    forge(store)
    with pytest.raises(LeaseHeldError, match="other-machine"), store.lease("x"):
        pass
    with store.lease("x", wait_s=60) as lease:
        assert lease.fence.epoch == 5
    assert files(store) == ["leases/x/0000000005.json"]


def test_a_holder_elsewhere_that_renews_is_left_alone(local_store, monkeypatch):
    holder = Lease(local_store._blobs, "x", ttl_s=2)
    holder._record = replace(holder._record, holder=ELSEWHERE)
    with holder, pytest.raises(LeaseHeldError), local_store.lease("x", wait_s=2.6):
        pass


def test_who_lost_the_lease_notices_when_renewing(local_store):
    with local_store.lease("x", ttl_s=3600) as lease:
        forge(local_store)
        lease._renew()
        with pytest.raises(FencedError, match="holder number 4"):
            lease.check()
    # It did not write over its successor's file, nor release what is no longer its own.
    assert not json.loads(local_store.read_bytes("leases/x/0000000004.json"))["released"]


def test_who_cannot_renew_for_its_term_stops_by_itself(local_store, monkeypatch):
    with local_store.lease("x", ttl_s=3600) as lease:
        lease.check()
        lease._renewed_at -= 3601
        with pytest.raises(FencedError, match="could not be renewed"):
            lease.check()


def test_a_number_freed_by_cleaning_up_is_not_taken_again(local_store):
    with local_store.lease("x"):
        pass
    forge(local_store)
    late = Lease(local_store._blobs, "x")
    assert not late._create(3, took_over=False)
    assert "leases/x/0000000003.json" not in files(local_store)


def test_a_creation_whose_answer_was_lost_is_recognised(local_store, monkeypatch):
    lease = Lease(local_store._blobs, "x")
    original = lease._blobs.write_if_absent

    def write_and_lose_the_answer(path, data):
        original(path, data)
        return original(path, data)

    monkeypatch.setattr(lease._blobs, "write_if_absent", write_and_lose_the_answer)
    with lease:
        assert lease.fence.epoch == 1


def test_a_broken_lease_file_is_named(local_store):
    local_store.write_bytes("leases/x/0000000004.json", b"{}")
    with pytest.raises(StoreError, match="not readable"), local_store.lease("x"):
        pass


def test_numbers_go_on_where_lease_files_were_removed(local_store):
    for _ in range(3):
        with local_store.lease(LEASE, [EMBEDDINGS]) as lease:
            commit_part(local_store, lease, lease.fence.epoch)
    local_store._blobs.delete(files(local_store))
    with local_store.lease(LEASE, [EMBEDDINGS]) as lease:
        assert lease.fence.epoch == 4
        commit_part(local_store, lease, 4)
    assert local_store.table("embeddings").rows() == 4 * ROWS


@pytest.mark.faults
@pytest.mark.parametrize("successor_commits", [True, False])
def test_a_stopped_holder_cannot_commit_after_it_was_replaced(store, successor_commits):
    worker = Worker(store)
    worker.say(do="hold", ttl_s=1)
    assert worker.hear() == "held"
    worker.say(part=1)
    assert worker.hear() == "committed"
    worker.process.send_signal(signal.SIGSTOP)
    with store.lease(LEASE, [EMBEDDINGS], wait_s=60) as lease:
        if successor_commits:
            commit_part(store, lease, 2)
        worker.process.send_signal(signal.SIGCONT)
        worker.say(part=3)
        assert worker.hear() == "FencedError"
    assert store.table("embeddings").rows() == (2 if successor_commits else 1) * ROWS
    worker.end()


def test_a_successor_that_commits_between_look_and_commit_wins(store, monkeypatch):
    """The narrowest race: the old holder has read the table's version and is about to commit."""
    old, new = Fence("artcluster/x", 1), Fence("artcluster/x", 2)
    rows = {part: _info(store, part) for part in range(3)}
    store.commit_shards(EMBEDDINGS, [rows[0]], old)
    look = Fence.next_version

    def look_then_lose_the_race(self, committed):
        version = look(self, committed)
        monkeypatch.setattr(Fence, "next_version", look)
        delta.commit(store.location, EMBEDDINGS, [rows[1]], new)
        return version

    monkeypatch.setattr(Fence, "next_version", look_then_lose_the_race)
    with pytest.raises(FencedError):
        store.commit_shards(EMBEDDINGS, [rows[2]], old)
    assert store.table("embeddings").rows() == 2 * ROWS
    store.commit_shards(EMBEDDINGS, [rows[2]], new)
    assert store.table("embeddings").rows() == 3 * ROWS


def test_threads_of_one_holder_commit_at_once(store):
    infos = [_info(store, part) for part in range(4)]
    with store.lease(LEASE) as lease, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda info: store.commit_shards(EMBEDDINGS, [info], lease.fence), infos))
    assert store.table("embeddings").rows() == 4 * ROWS


def test_holders_of_different_leases_commit_to_one_table_at_once(store):
    infos = [_info(store, part) for part in range(6)]

    def commit(part):
        store.commit_shards(EMBEDDINGS, [infos[part]], Fence(f"artcluster/{part % 3}", 1))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(commit, range(6)))
    assert store.table("embeddings").rows() == 6 * ROWS


def _info(store, part):
    from artcluster.store import shard_name
    from tests.store.rows import PARTITION, vectors

    rows = vectors([f"{part}/{row}" for row in range(ROWS)])
    return store.shard_writer(EMBEDDINGS).write(shard_name(str(part)), rows, PARTITION)


@pytest.mark.parametrize("damage", [b"", b'{"epoch": 1, "tok', b"[1]"])
def test_a_damaged_lease_is_waited_for_and_then_taken_over(local_store, damage, caplog):
    with local_store.lease("x", ttl_s=0.2):
        pass
    (path,) = files(local_store)
    local_store.write_bytes(path, damage)
    (holder,) = lease_holders(Blobs(local_store.location))
    assert (holder.what, holder.state) == ("x", "unreadable")
    assert path in holder.takeover
    with pytest.raises(LeaseHeldError, match="not readable"), local_store.lease("x", ttl_s=0.2):
        pass
    with local_store.lease("x", ttl_s=0.2, wait_s=10) as lease:
        assert lease.fence.epoch == 2
    assert path in caplog.text
    assert lease_holders(Blobs(local_store.location)) == []


def test_a_forgotten_lease_leaves_no_file(local_store):
    with local_store.lease("x") as lease:
        lease.forget()
        assert files(local_store) != []
    assert files(local_store) == []
