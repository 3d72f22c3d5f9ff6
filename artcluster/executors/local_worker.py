"""The single rank of a training loop that runs in this process."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from artcluster.executors.checkpoints import Checkpoints
from artcluster.stages.stop import Stop

Shard = np.ndarray | Callable[[], np.ndarray]
"""A virtual shard's rows, or a picklable function that loads them where they are needed."""


class LocalWorker:
    """A `Worker` of a world of one."""

    rank = 0
    world = 1

    def __init__(
        self,
        data: Sequence[Shard],
        device: torch.device,
        checkpoints: Checkpoints,
        stop: Stop,
    ) -> None:
        self.device = device
        self.shards: Mapping[int, np.ndarray] = {
            number: shard() if callable(shard) else shard for number, shard in enumerate(data)
        }
        self.shard_rows: Sequence[int] = [len(self.shards[number]) for number in range(len(data))]
        self._checkpoints = checkpoints
        self._stop = stop

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor: there is nobody to sum with."""
        return tensor

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the state saved last under this job's name, or None at a first start."""
        return self._checkpoints.load()

    def save_checkpoint(self, state: dict[str, Any], metrics: Mapping[str, float]) -> None:
        """Save a state of tensors, numbers and strings.

        Raises:
            StoppedError: The job was asked to end: here it can go on from.
        """
        del metrics
        self._checkpoints.save(state)
        self._stop.check()

    def stop_asked(self) -> bool:
        """Return whether the job was asked to end."""
        return self._stop.asked
