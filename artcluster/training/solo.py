"""The worker of a job of one process: nothing to sum, the checkpoint in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch


class SoloWorker:
    """A world of one rank that owns every shard.

    Args:
        shards: The virtual shards.
        device: Where to train.
        checkpoint: State to begin from.
    """

    def __init__(
        self,
        shards: Sequence[np.ndarray],
        *,
        device: torch.device | str = "cpu",
        checkpoint: dict[str, Any] | None = None,
    ) -> None:
        self.rank = 0
        self.world = 1
        self.device = torch.device(device)
        self.shards: Mapping[int, np.ndarray] = dict(enumerate(shards))
        self.shard_rows = [len(shard) for shard in shards]
        self.checkpoint = checkpoint
        """The state saved last."""

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor: its own sum."""
        return tensor

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the state saved last."""
        return self.checkpoint

    def save_checkpoint(self, state: dict[str, Any], metrics: Mapping[str, float]) -> None:
        """Keep the state."""
        del metrics
        self.checkpoint = state

    def stop_asked(self) -> bool:
        """Return False: nobody can ask."""
        return False
