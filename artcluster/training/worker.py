"""What a training loop asks of the process it runs in: its rank, a sum over ranks, checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch


class Worker(Protocol):
    """One rank of a training job. In-process there is a single one; on Ray Train one a worker."""

    rank: int
    world: int
    device: torch.device
    shards: Mapping[int, np.ndarray]
    """The virtual shards that this rank owns, by shard number."""
    shard_rows: Sequence[int]
    """Rows of every virtual shard, owned or not."""

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over all ranks, in place, and return it."""
        ...

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the state saved last under this job's name, or None at a first start."""
        ...

    def save_checkpoint(self, state: dict[str, Any], metrics: Mapping[str, float]) -> None:
        """Save a state of tensors, numbers and strings; every rank calls it, rank 0's is kept.

        Where the job was asked to end, the loop ends here, by an exception.
        """
        ...

    def stop_asked(self) -> bool:
        """Return whether the job was asked to end: a checkpoint is due. Rank 0's answer counts."""
        ...
