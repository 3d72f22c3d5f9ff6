"""Refinement of an encoder and its centroids together: the loop of DEC and DCEC."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from artcluster.clustering.dec import (
    converged,
    kl_divergence_sum,
    soft_assignment,
    squared_error_sum,
)
from artcluster.training.batches import BatchStream
from artcluster.training.checkpoints import (
    CheckpointClock,
    State,
    deciding,
    identity,
    load_state,
    save_state,
    unpack,
)
from artcluster.training.reconstruction import DTYPES
from artcluster.training.target_distribution import RefreshStats, TargetDistribution
from artcluster.training.worker import OptimizerName, Worker, make_optimizer, sum_gradients


@dataclass(frozen=True, kw_only=True)
class DecConfig:
    """How to refine.

    Attributes:
        refresh_every: Iterations between two refreshes of the target distribution, t.
        tolerance: Stops once a smaller share of labels changed between two refreshes, δ; 0 never.
        max_iterations: Stops there at the latest; the papers state none, DCEC's authors have this.
        batch_size: Rows of a batch over all ranks.
        learning_rate: The optimiser's.
        optimizer: `adam`, as DELIUS has. DEC's authors have `sgd`, with a learning rate of 0.01.
        clustering_weight: Of KL(P‖Q) in the loss.
        reconstruction_weight: Of the mean squared error; above 0 the decoder is trained along.
        seed: Seeds the batches.
        dtype: What to compute in; float64 is for comparisons.
        resident_bytes: Vectors larger than this are streamed; by default half of the free memory.
        chunk_rows: Rows that are encoded at once at a refresh.
        checkpoint_interval_s: Least seconds between checkpoints, which are taken at refreshes.
    """

    refresh_every: int
    tolerance: float
    max_iterations: int
    batch_size: int
    learning_rate: float
    optimizer: OptimizerName = "adam"
    clustering_weight: float = 1.0
    reconstruction_weight: float = 0.0
    seed: int
    dtype: Literal["float32", "float64"] = "float32"
    resident_bytes: int | None = None
    chunk_rows: int = 4096
    checkpoint_interval_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("refresh_every", "max_iterations", "batch_size", "chunk_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.tolerance <= 1:
            raise ValueError(f"tolerance is a share, 0 to 1, got {self.tolerance}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if self.clustering_weight <= 0 or self.reconstruction_weight < 0:
            raise ValueError(
                "clustering_weight must be above 0 and reconstruction_weight at least 0, got "
                f"{self.clustering_weight} and {self.reconstruction_weight}"
            )
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}")


@dataclass(frozen=True)
class DecResult:
    """A refined encoder with its centroids.

    Attributes:
        encoder: State dict of the encoder, on the CPU.
        centroids_KD: In the code's space.
        history: One entry a refresh; the last is of the state returned.
        iterations: Iterations done.
        converged: False: `max_iterations` ended it.
    """

    encoder: dict[str, torch.Tensor]
    centroids_KD: np.ndarray
    history: tuple[RefreshStats, ...]
    iterations: int
    converged: bool


class Clustering(nn.Module):
    """What refinement trains.

    Args:
        encoder: From what `prepare` returns to codes.
        centroids_KD: Seeds, from k-means on the codes.
        code_dim: Length of the codes.
        decoder: Back to what `prepare` returns; None where the loss has no reconstruction.
        prepare: From rows as they are stored to what the encoder takes; by default nothing.

    Raises:
        ValueError: Centroids and codes differ in length.
    """

    def __init__(
        self,
        encoder: nn.Module,
        centroids_KD: np.ndarray,
        *,
        code_dim: int,
        decoder: nn.Module | None = None,
        prepare: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        super().__init__()
        if centroids_KD.ndim != 2 or len(centroids_KD) < 1 or centroids_KD.shape[1] != code_dim:
            raise ValueError(
                f"expected centroids (K, {code_dim}), of the codes' length, got "
                f"{centroids_KD.shape}"
            )
        self.encoder = encoder
        self.centroids = nn.Parameter(torch.tensor(centroids_KD))
        self.decoder = decoder
        self._prepare = prepare or nn.Identity()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return soft assignments."""
        return soft_assignment(self.encoder(self._prepare(rows)), self.centroids)

    def loss(
        self, rows: torch.Tensor, p_NK: torch.Tensor, total: int, config: DecConfig
    ) -> torch.Tensor:
        """Return these rows' share of the loss of a batch of `total` rows.

        KL is summed over clusters and averaged over samples, the squared error averaged over all
        elements, as in Keras: else the weights would mean something else.
        """
        x = self._prepare(rows)
        code_ND = self.encoder(x)
        q_NK = soft_assignment(code_ND, self.centroids)
        loss = kl_divergence_sum(p_NK, q_NK) * (config.clustering_weight / total)
        if self.decoder is None:
            return loss
        elements = total * x[0].numel()
        error = squared_error_sum(self.decoder(code_ND), x)
        return loss + error * (config.reconstruction_weight / elements)


def refine(
    worker: Worker,
    model: Clustering,
    config: DecConfig,
    *,
    stage: str,
    row_shape: tuple[int, ...],
    row_dtype: torch.dtype,
) -> DecResult:
    """Train a network and its centroids, from the job's last checkpoint where there is one.

    Every t iterations all rows are encoded once, which gives labels, the share of them that
    changed, and the target that is frozen until the next time: it is of the whole data set.

    Args:
        worker: This rank.
        model: With the same weights on every rank. It is trained in place.
        stage: Names checkpoints.
        row_shape: Shape of one row.
        row_dtype: Of the rows, as they are kept and as `model` prepares them.

    Raises:
        ValueError: The loss is no longer finite, or the job's checkpoint is of another job.
    """
    dtype = DTYPES[config.dtype]
    clusters = len(model.centroids)
    model.to(worker.device, dtype).train()
    batches = BatchStream(
        worker,
        row_shape=row_shape,
        dtype=row_dtype,
        batch_size=config.batch_size,
        seed=config.seed,
        resident_bytes=config.resident_bytes,
    )
    parameters = list(model.parameters())
    optimizer = make_optimizer(config.optimizer, parameters, config.learning_rate)
    named = identity(stage, {**deciding(config), "k": clusters}, worker.shard_rows)
    keeper = TargetDistribution(worker, batches.rows, clusters, dtype, config.chunk_rows)
    clock = CheckpointClock(worker, config.checkpoint_interval_s)
    iteration = 0
    state = load_state(worker, named)
    if state is not None:
        unpack(state, model, optimizer)
        keeper.restore(state)
        iteration = state["iteration"]
    while True:
        ends = iteration == config.max_iterations
        if iteration % config.refresh_every == 0 or ends:
            keeper.refresh(model, iteration)
            stops = iteration > 0 and converged(keeper.history[-1].label_change, config.tolerance)
            if stops or ends or clock.due():
                progress: State = {"iteration": iteration, **keeper.packed()}
                metrics = {"iteration": iteration, "loss": keeper.history[-1].loss}
                save_state(worker, named, model, optimizer, progress, metrics)
            if stops or ends:
                break
        batch = batches.batch(iteration)
        optimizer.zero_grad(set_to_none=True)
        if len(batch.x):
            loss = model.loss(batch.x, keeper.target(batch.numbers), batch.total, config)
            torch.autograd.backward(loss)
        sum_gradients(parameters, worker)
        optimizer.step()
        iteration += 1
    return DecResult(
        {name: value.detach().cpu() for name, value in model.encoder.state_dict().items()},
        model.centroids.detach().cpu().numpy(),
        tuple(keeper.history),
        iteration,
        stops,
    )
