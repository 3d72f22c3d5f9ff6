"""The optimisers of the papers, by name."""

from collections.abc import Iterable
from typing import Literal, get_args

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
