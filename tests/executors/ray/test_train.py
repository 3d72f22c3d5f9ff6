import signal
import threading
import time

import numpy as np
import pytest
import torch

from artcluster.errors import StepError, StoppedError, StoreError, UsageError
from artcluster.executors.local import InProcessExecutor
from artcluster.executors.ray.train import train as train_on_ray
from artcluster.runtime.cancellation import Stop
from tests.executors import toy

pytestmark = pytest.mark.ray

SHARDS = [np.random.default_rng(number).normal(size=(5 + number, 3)) for number in range(5)]


def train(executor, loop, place, name, workers=1, data=SHARDS):
    return executor.train(
        loop, data, workers=workers, use_gpu=False, name=name, checkpoint_uri=str(place)
    )


def load_third():
    return SHARDS[3]


@pytest.fixture(scope="module")
def in_process(tmp_path_factory):
    return train(InProcessExecutor(), toy.descend, tmp_path_factory.mktemp("here"), "toy")


def test_in_process_goes_on_from_its_checkpoint(in_process, tmp_path):
    executor = InProcessExecutor()
    first = train(executor, toy.descend, tmp_path, "models/toy")
    again = train(executor, toy.descend, tmp_path, "models/toy")
    assert (first["began"], again["began"]) == (0, toy.STEPS)
    assert torch.equal(first["mean"], again["mean"])
    assert first["rows"] == [5, 6, 7, 8, 9]


def test_errors_in_process(tmp_path):
    executor = InProcessExecutor()
    with pytest.raises(StoreError, match="Make room"):
        train(executor, toy.refuse, tmp_path, "a")
    with pytest.raises(StepError, match="ZeroDivisionError: of the test"):
        train(executor, toy.stumble, tmp_path, "a")
    with pytest.raises(UsageError, match="training job's name"):
        train(executor, toy.descend, tmp_path, "../a")


def test_two_ranks_one_of_them_killed(ray_executor, in_process, tmp_path):
    """They give what one process gives and go on from the last checkpoint, also in the next job."""
    data = [*SHARDS[:3], load_third, SHARDS[4]]
    result = train(ray_executor, toy.DescendAndDie(tmp_path), tmp_path, "toy", 2, data)
    assert (tmp_path / "killed").exists()
    assert (result["world"], result["threads"]) == (2, 1)
    assert result["began"] == 8
    assert result["rows"] == in_process["rows"]
    torch.testing.assert_close(result["mean"], in_process["mean"], rtol=0, atol=1e-12)
    assert [path.name for path in (tmp_path / "toy").iterdir()] == ["checkpoint.pt"]
    again = train(InProcessExecutor(), toy.descend, tmp_path, "toy")
    assert again["began"] == toy.STEPS


def test_one_rank(ray_executor, in_process, tmp_path):
    ctrl_c = signal.getsignal(signal.SIGINT)
    result = train(ray_executor, toy.descend, tmp_path, "one")
    assert torch.equal(result["mean"], in_process["mean"])
    assert result["threads"] == 2, "those of the machine that it has to itself"
    assert signal.getsignal(signal.SIGINT) is ctrl_c


def test_asked_to_end_all_ranks_do_and_none_is_started_again(ray_executor, tmp_path):
    stop = Stop()

    def ask():
        while not (tmp_path / "stepping").exists():
            time.sleep(0.01)
        stop.ask()

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(StoppedError):
        train_on_ray(
            toy.StepUntilAsked(tmp_path),
            SHARDS,
            workers=2,
            use_gpu=False,
            name="endless",
            checkpoint_uri=str(tmp_path),
            coordinator=ray_executor._coordinators_at_least(1)[0],
            stop=stop,
        )
    asking.join()
    assert sorted(path.name for path in tmp_path.glob("began-*")) == ["began-0", "began-1"]
    assert (tmp_path / "endless" / "checkpoint.pt").exists()


def test_a_users_error_of_one_rank_comes_out_as_it_is(ray_executor, tmp_path):
    with pytest.raises(StoreError, match="Make room"):
        train(ray_executor, toy.refuse, tmp_path, "refuse", 2)


def test_no_workers_is_an_error(ray_executor, tmp_path):
    with pytest.raises(UsageError, match="at least one worker"):
        train(ray_executor, toy.descend, tmp_path, "none", 0)
