"""Streams and training loops that are asked to end: what is in hand is finished, and no more."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from artcluster.errors import StoppedError
from artcluster.executors.local import InProcessExecutor
from artcluster.runtime.cancellation import Stop
from artcluster.training.checkpoints import CheckpointClock
from artcluster.training.worker import Worker
from tests.executors import arithmetic

NEVER_S = 1e9


def test_a_stream_yields_what_is_in_hand_and_takes_up_no_more() -> None:
    stop = Stop()
    taken: list[int] = []

    def items():
        for number in itertools.count():
            taken.append(number)
            yield number

    stream = InProcessExecutor(stop).stream(items(), arithmetic.steps(), stall_timeout_s=60)
    out = [next(stream)]
    assert stop.ask(), "a stream ends by itself"
    before = len(taken)
    with pytest.raises(StoppedError):
        out.extend(iter(stream))
    # The item that was fetched and not taken up is left with the rest.
    assert len(out) == before
    assert len(taken) == before + 1


def test_a_stream_without_anything_left_ends_as_ever() -> None:
    stop = Stop()
    stream = InProcessExecutor(stop).stream(range(2), arithmetic.steps(), stall_timeout_s=60)
    out = [next(stream)]
    stop.ask()
    assert len([*out, *stream]) == 2


def test_nothing_begins_after_the_end_was_asked_for() -> None:
    stop = Stop()
    assert not stop.ask(), "nobody would see to it"
    with pytest.raises(StoppedError):
        list(InProcessExecutor(stop).stream(range(2), arithmetic.steps(), stall_timeout_s=60))


def test_training_saves_a_checkpoint_and_goes_on_from_it(tmp_path: Path) -> None:
    stop = Stop()

    def loop(worker: Worker) -> int:
        state = worker.load_checkpoint()
        began = 0 if state is None else state["step"]
        clock = CheckpointClock(worker, NEVER_S)
        for step in range(began, 10):
            if clock.due():
                worker.save_checkpoint({"step": step, "x": torch.zeros(1)}, {})
            if step == 6:
                assert stop.ask(), "training ends by itself"
        return began

    def train(asked: Stop) -> int:
        return InProcessExecutor(asked).train(
            loop,
            [np.zeros((1, 1))],
            workers=1,
            use_gpu=False,
            name="toy",
            checkpoint_uri=str(tmp_path),
        )

    with pytest.raises(StoppedError):
        train(stop)
    assert train(Stop()) == 7


def test_an_end_that_is_under_way_is_told() -> None:
    stop = Stop()
    stop.check()
    stop.ask()
    assert not stop.ends
    with pytest.raises(StoppedError):
        stop.check()
    assert stop.ends
