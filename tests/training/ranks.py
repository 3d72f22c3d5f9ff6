"""Several ranks in one process: threads that meet at a barrier to sum. Stands in for Ray Train."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import torch

from artcluster.training.batches import owned_shards

T = TypeVar("T")


class Meeting:
    """Where the ranks hand in tensors and take the sum, added up in the order of ranks."""

    def __init__(self, world: int) -> None:
        self.world = world
        self.barrier = threading.Barrier(world, timeout=60)
        self.handed_in: list[torch.Tensor | None] = [None] * world
        self.checkpoint: dict[str, Any] | None = None

    def sum(self, rank: int, tensor: torch.Tensor) -> torch.Tensor:
        self.handed_in[rank] = tensor.clone()
        self.barrier.wait()
        total = sum(part for part in self.handed_in if part is not None)
        self.barrier.wait()
        return tensor.copy_(torch.as_tensor(total))


class ThreadWorker:
    """One rank."""

    def __init__(self, rank: int, shards: Sequence[np.ndarray], meeting: Meeting) -> None:
        self.rank = rank
        self.world = meeting.world
        self.device = torch.device("cpu")
        self.shards: Mapping[int, np.ndarray] = {
            shard: shards[shard] for shard in owned_shards(len(shards), rank, meeting.world)
        }
        self.shard_rows = [len(shard) for shard in shards]
        self.meeting = meeting

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        return self.meeting.sum(self.rank, tensor)

    def load_checkpoint(self) -> dict[str, Any] | None:
        return self.meeting.checkpoint

    def save_checkpoint(self, state: dict[str, Any], metrics: Mapping[str, float]) -> None:
        self.meeting.barrier.wait()
        if self.rank == 0:
            self.meeting.checkpoint = state

    def stop_asked(self) -> bool:
        return False


def run_ranks(
    world: int,
    shards: Sequence[np.ndarray],
    loop: Callable[[ThreadWorker], T],
    checkpoint: dict[str, Any] | None = None,
) -> list[T]:
    """Run a training loop on so many ranks and return what each returned."""
    meeting = Meeting(world)
    meeting.checkpoint = checkpoint

    def run(rank: int) -> T:
        try:
            return loop(ThreadWorker(rank, shards, meeting))
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(world) as pool:
        ranks = [pool.submit(run, rank) for rank in range(world)]
    failures = [error for error in (rank.exception() for rank in ranks) if error is not None]
    # One rank's failure breaks the barrier for the others: the cause is worth more.
    for error in sorted(
        failures, key=lambda error: isinstance(error, threading.BrokenBarrierError)
    ):
        raise error
    return [rank.result() for rank in ranks]
