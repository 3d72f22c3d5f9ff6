"""The loop that trains an autoencoder to reconstruct its input, dense or convolutional."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from artcluster.training.batches import BatchStream
from artcluster.training.checkpoints import (
    CheckpointClock,
    State,
    deciding,
    identity,
    load_state,
    module_state,
    pack,
    save_state,
    unpack,
)
from artcluster.training.worker import OptimizerName, Worker, make_optimizer, sum_gradients

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True, kw_only=True)
class ReconstructionConfig:
    """How long and how to train.

    Attributes:
        epochs: Passes over the data.
        min_steps: Trains longer where the epochs add up to fewer steps than this: it is the steps
            that train a network, and a small archive has few in an epoch.
        max_steps: A budget that ends training wherever it stands.
        batch_size: Rows of a batch over all ranks.
        learning_rate: The optimiser's.
        optimizer: Its name.
        seed: Seeds weights and batches.
        dtype: What to compute in; float64 is for comparisons.
        resident_bytes: Rows larger than this are streamed; by default half of the free memory.
        checkpoint_interval_s: Seconds between checkpoints.
        checkpoint_steps: Ranks agree whether one is due once in so many steps.
    """

    epochs: int
    min_steps: int
    max_steps: int | None
    batch_size: int
    learning_rate: float
    optimizer: OptimizerName = "adam"
    seed: int
    dtype: Literal["float32", "float64"] = "float32"
    resident_bytes: int | None = None
    checkpoint_interval_s: float = 60.0
    checkpoint_steps: int = 50

    def __post_init__(self) -> None:
        at_least_one = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "checkpoint_steps": self.checkpoint_steps,
            "max_steps": 1 if self.max_steps is None else self.max_steps,
        }
        for name, value in at_least_one.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}")

    def steps(self, batches: int) -> int:
        """Return the steps to train for, with so many batches in an epoch.

        Example:
            >>> config = ReconstructionConfig(
            ...     epochs=200, min_steps=2000, max_steps=None, batch_size=256, learning_rate=1e-3,
            ...     seed=0,
            ... )
            >>> config.steps(batches=3), config.steps(batches=309)
            (2000, 61800)
        """
        steps = max(self.epochs * batches, self.min_steps)
        return steps if self.max_steps is None else min(steps, self.max_steps)


@dataclass(frozen=True)
class Reconstruction:
    """A trained autoencoder.

    Attributes:
        state: Its state dict, on the CPU.
        losses: Mean squared error an element of each epoch; the last may be a part of one.
        steps: Steps trained.
        validation_losses: What `validate` said at the end of each epoch; empty without one.
    """

    state: dict[str, torch.Tensor]
    losses: tuple[float, ...]
    steps: int
    validation_losses: tuple[float, ...] = ()


def train_reconstruction(
    worker: Worker,
    network: nn.Module,
    batches: BatchStream,
    batch_error: Callable[[torch.Tensor], torch.Tensor],
    config: ReconstructionConfig,
    *,
    stage: str,
    row_elements: int,
    validate: Callable[[], float] | None = None,
    told: Callable[[int], None] | None = None,
) -> Reconstruction:
    """Train a network, from the job's last checkpoint where there is one.

    The gradient of a batch is that of its mean squared error over all ranks: each rank divides the
    error of its own rows by the elements of the whole batch, and the gradients are summed.

    Args:
        worker: This rank.
        network: On the worker's device, with the same weights on every rank.
        batches: This rank's.
        batch_error: From rows to the summed squared error of their reconstruction.
        stage: Names checkpoints.
        row_elements: Elements of one row.
        validate: Returns the error of rows that are not trained on, the same on every rank; asked
            at the end of each epoch.
        told: Called after each step with the number of its rows, over all ranks.

    Raises:
        ValueError: The checkpoint found is of another job, or the error is no longer finite.
    """
    parameters = list(network.parameters())
    optimizer = make_optimizer(config.optimizer, parameters, config.learning_rate)
    named = identity(stage, deciding(config), worker.shard_rows)
    total = config.steps(batches.plan.batches)
    errors = _EpochErrors(worker)
    validated: list[float] = []
    step = 0
    state = load_state(worker, named)
    if state is not None:
        unpack(state, network, optimizer)
        errors.restore(state)
        validated = state["validation_errors"].tolist() if validate is not None else []
        step = state["step"]
    clock = CheckpointClock(worker, config.checkpoint_interval_s)
    while step < total:
        batch = batches.batch(step)
        optimizer.zero_grad(set_to_none=True)
        if len(batch.x):
            error = batch_error(batch.x)
            errors.add(error)
            torch.autograd.backward(error / (batch.total * row_elements))
        sum_gradients(parameters, worker)
        optimizer.step()
        step += 1
        if told is not None:
            told(batch.total)
        if step % batches.plan.batches == 0 or step == total:
            errors.close(batches.plan.rows_through(step - 1) * row_elements)
            if validate is not None:
                validated.append(validate())
        asks = step % config.checkpoint_steps == 0 or (worker.world == 1 and worker.stop_asked())
        if step == total or (asks and clock.due()):
            progress: State = {"step": step, **errors.packed()}
            if validate is not None:
                progress["validation_errors"] = torch.tensor(validated, dtype=torch.float64)
            save_state(worker, named, network, optimizer, progress, {"step": step})
    state_dict = module_state(pack(network, optimizer))
    return Reconstruction(state_dict, tuple(errors.epochs), total, tuple(validated))


class _EpochErrors:
    """Mean errors of the epochs. They stay on the device, and each rank's own, until one ends."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._sum = torch.zeros((), dtype=torch.float64, device=worker.device)
        self.epochs: list[float] = []

    def add(self, error: torch.Tensor) -> None:
        """Add one batch's summed error."""
        self._sum += error.detach()

    def close(self, elements: int) -> None:
        """End an epoch of so many elements."""
        mean = self._over_ranks() / elements
        if not math.isfinite(mean):
            raise ValueError(
                f"the reconstruction error of epoch {len(self.epochs)} is {mean}: lower "
                "learning_rate, or look for numbers in the data that are not finite"
            )
        self.epochs.append(mean)
        self._sum.zero_()

    def packed(self) -> State:
        """Return the errors so far for a checkpoint; every rank calls it."""
        return {
            "epoch_errors": torch.tensor(self.epochs, dtype=torch.float64),
            "error_sum": self._over_ranks(),
        }

    def restore(self, state: State) -> None:
        """Go on from `packed`."""
        self.epochs = state["epoch_errors"].tolist()
        if self._worker.rank == 0:
            self._sum.fill_(state["error_sum"])

    def _over_ranks(self) -> float:
        return float(self._worker.reduce(self._sum.clone()).item())
