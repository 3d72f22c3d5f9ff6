"""What the numpy reference is given: a network's weights as arrays, and the rows of each batch."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import nn

from artcluster.training.batches import BatchPlan
from artcluster.training.reconstruction import ReconstructionConfig
from artcluster.training.refinement import DecConfig
from tests.reference.dec_numpy import Layers


def layers_of(network: nn.Module) -> Layers:
    return [
        (
            layer.weight.detach().numpy().astype(np.float64),
            layer.bias.detach().numpy().astype(np.float64),
        )
        for layer in network.children()
        if isinstance(layer, nn.Linear)
    ]


def row_numbers(
    shard_rows: Sequence[int], config: ReconstructionConfig | DecConfig
) -> Callable[[int], np.ndarray]:
    plan = BatchPlan(shard_rows, range(len(shard_rows)), config.batch_size, config.seed)

    def rows(step: int) -> np.ndarray:
        epoch, batch = divmod(step, plan.batches)
        return plan.order(epoch)[slice(*plan.span(batch))]

    return rows
