"""One rank of a training loop in a process of Ray Train."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed

from artcluster.executors.checkpoints import Checkpoints


class LostRankError(RuntimeError):
    """Another rank is gone: this one ends too, and all start again from the last checkpoint."""


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
    ) -> None:
        self.rank = rank
        self.world = world
        self.device = device
        self.shards = shards
        self.shard_rows = shard_rows
        self._checkpoints = checkpoints

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
        """Save rank 0's state; the ranks wait for each other."""
        import ray.train

        if self.rank == 0:
            self._checkpoints.save(state)
        ray.train.report(dict(metrics))
