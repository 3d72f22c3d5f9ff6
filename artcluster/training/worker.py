"""What a training loop asks of the process it runs in: its rank, a sum over ranks, checkpoints."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch

OptimizerName = Literal["adam", "adamax", "sgd"]


def make_optimizer(
    name: OptimizerName, parameters: Iterable[torch.Tensor], learning_rate: float
) -> torch.optim.Optimizer:
    """Make an optimiser over parameters.

    `adam` has β = (0.9, 0.999) and ε = 1e-8, as DELIUS states; `adamax` the same, as Keras has;
    `sgd` a momentum of 0.9, as DEC's authors have.

    Raises:
        ValueError: The name is unknown.
    """
    parameters = list(parameters)
    match name:
        case "adam":
            # Fused: one pass over memory, which is what a step of Adam costs.
            fused = all(value.device.type in ("cpu", "cuda") for value in parameters)
            return torch.optim.Adam(parameters, lr=learning_rate, fused=fused)
        case "adamax":
            return torch.optim.Adamax(parameters, lr=learning_rate)
        case "sgd":
            return torch.optim.SGD(parameters, lr=learning_rate, momentum=0.9)
        case _:
            raise ValueError(
                f"optimizer must be one of {', '.join(get_args(OptimizerName))}, got {name!r}"
            )


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


def sum_gradients(parameters: Sequence[torch.Tensor], worker: Worker) -> None:
    """Replace every parameter's gradient by its sum over all ranks, in one reduction.

    A rank without rows in the batch has no gradients and adds zero.

    Args:
        parameters: In the same order on every rank.
        worker: This rank; with a world of one nothing is done.
    """
    if worker.world == 1:
        return
    flat = torch.cat(
        [
            (torch.zeros_like(value) if value.grad is None else value.grad).reshape(-1)
            for value in parameters
        ]
    )
    worker.reduce(flat)
    start = 0
    for value in parameters:
        stop = start + value.numel()
        # In the parameter's own layout: a fused optimiser pairs the two as they lie in memory.
        value.grad = torch.empty_like(value).copy_(flat[start:stop].view(value.shape))
        start = stop
