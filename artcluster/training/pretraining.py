"""Pre-training of DEC's dense autoencoder on the vectors of an embedder."""

from dataclasses import dataclass

import torch

from artcluster.clustering.encoder import DenseAutoencoder, Initialisation, mean_square_scale
from artcluster.clustering.losses import squared_error_sum
from artcluster.training.reconstruction import (
    DTYPES,
    Reconstruction,
    ReconstructionConfig,
    train_reconstruction,
)
from artcluster.training.rows import Rows
from artcluster.training.stream import BatchStream
from artcluster.training.worker import Worker

_CHUNK_ROWS = 8192


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(ReconstructionConfig):
    """DELIUS's settings: 200 epochs of 256 rows, Adam at 0.001.

    Two defaults are not the paper's: weights are Glorot's, because N(0, 0.01) collapses on small
    archives, and training lasts at least 1,000 steps, which 512 images reach only after 500
    epochs. `initialisation="normal-0.01", min_steps=0` is the paper to the letter.

    Attributes:
        hidden: Widths of the encoder's hidden layers.
        code_dim: Length of the code.
        initialisation: `glorot` or `normal-0.01`.
        scaling: `mean-square` scales the data set by one factor, so that ‖x‖²/D averages one, as
            DEC's authors do; DELIUS is silent. `none` leaves it.
    """

    hidden: tuple[int, ...] = (500, 500, 2000)
    code_dim: int = 10
    initialisation: Initialisation = "glorot"
    scaling: str = "mean-square"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scaling not in ("mean-square", "none"):
            raise ValueError(f"scaling must be mean-square or none, got {self.scaling!r}")


def pretrain_autoencoder(worker: Worker, config: PretrainConfig) -> Reconstruction:
    """Train a dense autoencoder on the worker's vectors, N×D shards of floats.

    Returns:
        The state of a `DenseAutoencoder`; the same, but for rounding, with any number of ranks,
        and identical where a run was interrupted and resumed.

    Raises:
        ValueError: Shards differ in their vectors' length, the vectors are not finite, or the
            job's checkpoint is of another job.

    Source: Castellano and Vessio 2021 (DELIUS), §3.3, Eq. 1 and §4.2; Xie et al. 2016, §4.3, whose
    layer-wise pre-training with dropout DELIUS leaves out.
    """
    input_dim = _vector_length(worker)
    batches = BatchStream(
        worker,
        row_shape=(input_dim,),
        dtype=DTYPES[config.dtype],
        batch_size=config.batch_size,
        seed=config.seed,
        resident_bytes=config.resident_bytes,
    )
    network = DenseAutoencoder(
        (input_dim, *config.hidden, config.code_dim),
        initialisation=config.initialisation,
        seed=config.seed,
    ).to(worker.device, DTYPES[config.dtype])
    if config.scaling == "mean-square":
        elements = batches.plan.rows * input_dim
        scale = mean_square_scale(_square_sum(worker, batches.rows), elements)
        network.encoder.input_scale.fill_(scale)

    def batch_error(x_ND: torch.Tensor) -> torch.Tensor:
        scaled_ND = x_ND * network.encoder.input_scale
        return squared_error_sum(network.decoder(network.encoder.layers(scaled_ND)), scaled_ND)

    return train_reconstruction(
        worker, network, batches, batch_error, config, stage="pretrain", row_elements=input_dim
    )


def _vector_length(worker: Worker) -> int:
    """Return D, which a rank without shards learns from the others."""
    own = {shard.shape[1] for shard in worker.shards.values() if shard.ndim == 2}
    if len(own) > 1 or any(shard.ndim != 2 for shard in worker.shards.values()):
        shapes = sorted({shard.shape[1:] for shard in worker.shards.values()})
        raise ValueError(f"expected shards of vectors (rows, D) of one length D, got {shapes}")
    vote = torch.tensor([sum(own), len(own)], dtype=torch.int64, device=worker.device)
    total, owners = worker.reduce(vote).tolist()
    if owners == 0 or total % owners or (own and own != {total // owners}):
        raise ValueError(
            f"expected vectors of one length on every rank, got {sorted(own)} on rank "
            f"{worker.rank} of lengths that sum to {total} over {owners} ranks"
        )
    return int(total // owners)


def _square_sum(worker: Worker, rows: Rows) -> float:
    total = torch.zeros((), dtype=torch.float64, device=worker.device)
    for start in range(0, rows.count, _CHUNK_ROWS):
        chunk = rows.chunk(start, min(start + _CHUNK_ROWS, rows.count))
        total += chunk.to(torch.float64).square().sum()
    return float(worker.reduce(total).item())
