"""One rank of a training loop in a process of Ray Train."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed

from artcluster.executors.checkpoints import Checkpoints

_ASK_EVERY_S = 1.0


class LostRankError(RuntimeError):
    """Another rank is gone: this one ends too, and all start again from the last checkpoint."""


class StoppedRankError(RuntimeError):
    """The job was asked to end: what is to go on from is saved."""


class RayWorker:
    """A `Worker` whose ranks sum by torch.distributed (gloo on CPUs, NCCL on GPUs)."""

    def __init__(
        self,
        *,
        rank: int,
        world: int,
        device: torch.device,
        shards: Mapping[int, np.ndarray],
        shard_rows: Sequence[int],
        checkpoints: Checkpoints,
        is_stopping: Callable[[], bool],
    ) -> None:
        self.rank = rank
        self.world = world
        self.device = device
        self.shards = shards
        self.shard_rows = shard_rows
        self._checkpoints = checkpoints
        self._is_stopping = is_stopping
        self._stopping = False
        self._asked_at = 0.0

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over all ranks, in place, and return it.

        Raises:
            LostRankError: A rank died.
        """
        if self.world > 1:
            try:
                torch.distributed.all_reduce(tensor, op=torch.distributed.ReduceOp.SUM)
            except RuntimeError as error:
                raise LostRankError(str(error)) from error
        return tensor

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the state saved last under this job's name, or None at a first start.

        Rank 0 reads it and tells the others, so that all go on from the same one.
        """
        if self.world == 1:
            return self._checkpoints.load()
        state = [self._checkpoints.load() if self.rank == 0 else None]
        try:
            torch.distributed.broadcast_object_list(state, src=0, device=self.device)
        except RuntimeError as error:
            raise LostRankError(str(error)) from error
        return state[0]

    def save_checkpoint(self, state: dict[str, Any], metrics: Mapping[str, float]) -> None:
        """Save rank 0's state; the ranks wait for each other.

        Raises:
            StoppedRankError: The job was asked to end; raised on every rank, so that none waits
                for the others.
        """
        import ray.train

        if self.rank == 0:
            self._checkpoints.save(state)
        ray.train.report(dict(metrics))
        stopping = torch.tensor(float(self._stopping), device=self.device)
        if self.reduce(stopping).item():
            raise StoppedRankError("asked to end")

    def stop_asked(self) -> bool:
        """Return whether the job was asked to end, as rank 0 hears of it, once a second."""
        now = time.monotonic()
        if self.rank == 0 and not self._stopping and now - self._asked_at >= _ASK_EVERY_S:
            self._asked_at = now
            self._stopping = self._is_stopping()
        return self._stopping
