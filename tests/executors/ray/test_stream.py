import os
import threading
import uuid

import numpy as np
import pytest
import ray

from artcluster.errors import ArchiveError, ArtclusterError, StalledError, StepError
from artcluster.executors.local import InProcessExecutor
from artcluster.executors.ray import stream as ray_stream
from artcluster.executors.ray.stream import RayStream
from artcluster.runtime.cancellation import Stop
from artcluster.runtime.executor import Step
from tests.executors import arithmetic, waiting

pytestmark = pytest.mark.ray

LONG_S = 300.0


def run(executor, items, steps, stall_timeout_s=LONG_S):
    return list(executor.stream(items, steps, stall_timeout_s=stall_timeout_s))


def test_a_stream_gives_what_it_gives_in_process(ray_executor):
    def sums(executor):
        results = run(executor, range(12), arithmetic.steps())
        return sorted((item["number"], item["sum"]) for item in results), results

    mine, results = sums(ray_executor)
    assert mine == sums(InProcessExecutor())[0]
    assert len({item["pid"] for item in results}) == 1
    progress = ray_executor.progress()
    assert {name: (seen.started, seen.finished) for name, seen in progress.items()} == {
        "widen": (12, 12),
        "total": (12, 12),
    }
    assert progress["widen"].seconds > 0


def test_a_step_is_made_once_a_process(ray_executor):
    """What `make` loads or starts is kept between items, in tasks as in actors."""

    def make():
        made = (os.getpid(), uuid.uuid4().hex)
        return lambda number: made

    made = set(run(ray_executor, range(10), [Step("decode", make)]))
    assert len(made) == len({pid for pid, _ in made})


def test_a_large_array_arrives_whole(ray_executor):
    def make():
        def apply(number):
            rng = np.random.default_rng(number)
            return number, rng.integers(0, 255, (40, 1000, 1000), np.uint8), b"x" * 100_000

        return apply

    def check():
        def apply(item):
            number, pixels, tail = item
            expected = np.random.default_rng(number).integers(0, 255, (40, 1000, 1000), np.uint8)
            assert tail == b"x" * 100_000
            assert not pixels.flags.writeable
            return number, bool((pixels == expected).all())

        return apply

    steps = [Step("decode", make), Step("embed", check, workers=(1, 1))]
    assert sorted(run(ray_executor, [5, 6, 7], steps)) == [(5, True), (6, True), (7, True)]


def test_decoding_goes_on_while_the_model_is_busy(ray_executor, tmp_path):
    steps = [
        Step("decode", waiting.Mark(tmp_path)),
        Step("embed", waiting.NeedNext(tmp_path), workers=(1, 1)),
    ]
    assert sorted(run(ray_executor, range(4), steps)) == [0, 1, 2, 3]


def test_each_gpu_has_a_worker(ray_executor, tmp_path):
    steps = [Step("embed", waiting.Gather(tmp_path), cpus=0.5, gpus=1, workers=(2, 2))]
    results = run(ray_executor, range(6), steps)
    assert sorted(number for number, _ in results) == list(range(6))
    assert {gpu for _, gpu in results} == {"0", "1"}


def test_more_gpus_than_a_machine_has_is_an_error(ray_executor):
    steps = [Step("embed", arithmetic.refuse, gpus=3)]
    with pytest.raises(ArtclusterError, match=r"'embed' asks for 3 GPU.*more than 2"):
        run(ray_executor, range(3), steps)


@pytest.mark.parametrize("workers", [None, (1, 1)])
def test_a_users_error_comes_out_as_it_is(ray_executor, workers):
    with pytest.raises(ArchiveError, match="bucket is gone") as caught:
        run(ray_executor, range(6), [Step("refuse", arithmetic.refuse, workers=workers)])
    assert "ray" not in str(caught.value)


def test_an_unforeseen_error_names_step_and_item(ray_executor):
    with pytest.raises(StepError, match="'stumble' failed on 3: KeyError: 'missing'") as caught:
        run(ray_executor, range(6), [Step("stumble", arithmetic.stumble)])
    assert isinstance(caught.value.__cause__, KeyError)
    assert "arithmetic.py" in caught.value.__notes__[0]


def test_an_actor_that_cannot_be_made_says_why(ray_executor):
    with pytest.raises(ArchiveError, match="weights are not there"):
        run(ray_executor, range(3), [Step("embed", arithmetic.no_weights, workers=(1, 1))])


@pytest.mark.parametrize("workers", [None, (1, 1)])
def test_a_crashed_worker_is_replaced(ray_executor, tmp_path, workers):
    steps = [Step("decode", arithmetic.CrashOnce(tmp_path, 3), workers=workers)]
    assert sorted(run(ray_executor, range(8), steps)) == list(range(8))
    assert (tmp_path / "crashed-3").exists()


def test_an_item_that_always_crashes_is_named(ray_executor, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_stream, "_MOST_ATTEMPTS", 1)
    crash = arithmetic.CrashOnce(tmp_path, 3, always=True)
    with pytest.raises(StepError, match=r"'decode' lost its worker process \d+ times on 3"):
        run(ray_executor, range(8), [Step("decode", crash)])


def test_a_standstill_is_named_and_the_executor_goes_on(ray_executor):
    stream = ray_executor.stream(
        range(3), [Step("embed", waiting.hang, workers=(1, 1))], stall_timeout_s=LONG_S
    )
    assert {next(stream), next(stream)} == {0, 1}
    ray_executor._stream._stall_timeout_s = 1.0
    with pytest.raises(StalledError, match=r"'embed' is at work on 1 item.*first 2"):
        next(stream)
    results = run(ray_executor, range(3), arithmetic.steps())
    assert sorted(item["number"] for item in results) == [0, 1, 2]


@pytest.fixture
def other_job(ray_executor):
    """Another job that holds every CPU."""
    ray_executor.resources()
    holder = ray.remote(num_cpus=2)(dict).remote()
    ray.get(holder.__ray_ready__.remote())
    yield holder
    ray.kill(holder)


def test_a_stream_waits_for_its_turn_as_long_as_it_is_told_to(ray_executor, other_job):
    stream = RayStream(
        ray_executor._coordinators_at_least(1)[0],
        [Step("decode", arithmetic.refuse)],
        stall_timeout_s=0.1,
        node_loss_grace_s=10,
        queue_timeout_s=2.0,
        stop=Stop(),
    )
    with pytest.raises(StalledError, match=r"'decode' has had no worker for 2 s.*0 CPU.* are free"):
        list(stream.run(range(3)))


def test_a_stream_that_waited_for_its_turn_does_its_work(ray_executor, other_job):
    freed = threading.Timer(6, ray.kill, [other_job])
    freed.start()
    steps = [Step("decode", arithmetic.refuse_nothing)]
    assert sorted(run(ray_executor, range(3), steps, stall_timeout_s=5.0)) == [0, 1, 2]
    freed.join()


def test_windows_of_items_follow_each_other(ray_executor, monkeypatch):
    monkeypatch.setattr(ray_stream, "_WINDOW", 4)
    results = run(ray_executor, iter(range(6)), arithmetic.steps())
    assert sorted(item["number"] for item in results) == list(range(6))
