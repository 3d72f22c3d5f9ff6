import numpy as np
import torch

from artcluster.training.checkpoints import CheckpointClock, pack
from artcluster.training.solo import SoloWorker
from tests.training.ranks import ThreadWorker, run_ranks


class HandSetClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_due_once_the_interval_has_passed() -> None:
    time = HandSetClock()
    clock = CheckpointClock(SoloWorker([np.zeros((1, 1))]), 60, time)
    asked = []
    for seconds in (1, 59, 60, 61, 119, 121):
        time.seconds = seconds
        asked.append(clock.due())
    assert asked == [False, False, True, False, False, True]


def test_rank_0_decides_for_all() -> None:
    def loop(rank: ThreadWorker) -> list[bool]:
        time = HandSetClock()
        clock = CheckpointClock(rank, 60, time)
        asked = []
        for seconds in (10, 20):
            # Rank 0 passes the interval at its second question, rank 1 at its first.
            time.seconds = seconds * (6 if rank.rank else 4)
            asked.append(clock.due())
        return asked

    assert run_ranks(2, [np.zeros((1, 1))] * 2, loop) == [[False, True]] * 2


def test_a_state_saved_is_no_view_of_what_trains_on() -> None:
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = pack(layer, optimizer)
    before = {name: value.clone() for name, value in state.items()}
    optimizer.step()
    assert all(torch.equal(state[name], value) for name, value in before.items())
