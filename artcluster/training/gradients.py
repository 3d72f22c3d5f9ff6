"""Gradients summed over the ranks of a job."""

from collections.abc import Sequence

import torch

from artcluster.training.worker import Worker


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
