"""Training of a convolutional autoencoder on pixels."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from artcluster.clustering.dec import squared_error_sum
from artcluster.clustering.encoder import DenseAutoencoder, Initialisation, mean_square_scale
from artcluster.embedders.trained_networks import Autoencoder, network_input
from artcluster.training.batches import BatchStream
from artcluster.training.reconstruction import (
    DTYPES,
    Reconstruction,
    ReconstructionConfig,
    train_reconstruction,
)
from artcluster.training.rows import Rows
from artcluster.training.worker import Worker

_CHUNK_ROWS = 8192


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(ReconstructionConfig):
    """How to pre-train a dense autoencoder.

    `initialisation="normal-0.01", min_steps=0` is DELIUS to the letter; Glorot's weights and 1,000
    steps or more are for small archives, on which N(0, 0.01) collapses.

    Attributes:
        hidden: Widths of the encoder's hidden layers.
        code_dim: Length of the code.
        initialisation: `glorot` or `normal-0.01`.
        scaling: `mean-square` scales the data set by one factor, so that ‖x‖²/D averages one, as
            DEC's authors do; DELIUS is silent. `none` leaves it.
    """

    hidden: tuple[int, ...]
    code_dim: int
    initialisation: Initialisation
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


_MEASURED_AT_ONCE = 64


def train_cae(
    worker: Worker,
    network: Autoencoder,
    config: ReconstructionConfig,
    *,
    row_shape: tuple[int, int, int],
    validation: Sequence[np.ndarray] | None = None,
    told: Callable[[int], None] | None = None,
) -> Reconstruction:
    """Train a convolutional autoencoder on the worker's pictures, N×H×W×C shards of uint8.

    Pixels stay bytes, in memory or in mapped files, until their batch is drawn; then they are
    scaled to [0, 1], and to grey for a network of one channel.

    Args:
        worker: This rank.
        network: With the same weights on every rank. It is trained in place.
        row_shape: Height, width and channels of the pictures, which are in colour.
        validation: This rank's share of the pictures that the error is measured on after each
            epoch, as the shards are; None to measure none, on every rank.
        told: Called after each step with the number of its pictures, over all ranks.

    Raises:
        ValueError: The shards are not uint8 or of another shape, or the job's checkpoint is of
            another job.

    Source: Castellano and Vessio 2021, "Deep convolutional embedding for digitized painting
    clustering" (DCEC-Paint), §3 and §4; the mean squared error is Keras's, averaged over pixels.
    """
    check_bytes(worker)
    dtype = DTYPES[config.dtype]
    # As pixels lie: a sixth less work on a CPU than with the channels first.
    network.to(worker.device, dtype).to(memory_format=torch.channels_last).train()
    batches = BatchStream(
        worker,
        row_shape=row_shape,
        dtype=torch.uint8,
        batch_size=config.batch_size,
        seed=config.seed,
        resident_bytes=pixel_budget(worker, config.resident_bytes),
    )

    def batch_error(pixels_NHWC: torch.Tensor) -> torch.Tensor:
        pixels = network_input(pixels_NHWC, network.channels, dtype)
        _, reconstruction = network(pixels)
        return squared_error_sum(reconstruction, pixels)

    def validate() -> float:
        sums = torch.zeros(2, dtype=torch.float64, device=worker.device)
        for errors_N in reconstruction_errors(network, validation or (), worker.device):
            sums += torch.tensor([errors_N.sum().item(), len(errors_N)]).to(sums)
        error, rows = worker.reduce(sums).tolist()
        return float(error / max(1, rows))

    height, width, _ = row_shape
    return train_reconstruction(
        worker,
        network,
        batches,
        batch_error,
        config,
        stage="cae",
        row_elements=height * width * network.channels,
        validate=None if validation is None else validate,
        told=told,
    )


def reconstruction_errors(
    network: Autoencoder, arrays: Iterable[np.ndarray], device: torch.device
) -> Iterator[torch.Tensor]:
    """Yield the mean squared error of each picture, float64 (N,), a chunk at a time.

    Args:
        network: On the device.
        arrays: uint8 (rows, H, W, 3); may be memory-mapped.
        device: Where to compute.
    """
    dtype = next(network.parameters()).dtype
    for array in arrays:
        for start in range(0, len(array), _MEASURED_AT_ONCE):
            with torch.no_grad():
                some = torch.tensor(array[start : start + _MEASURED_AT_ONCE]).to(device)
                pixels = network_input(some, network.channels, dtype)
                _, reconstruction = network(pixels)
                yield (reconstruction - pixels).square().double().mean(dim=(1, 2, 3))


def check_bytes(worker: Worker) -> None:
    """Check that the worker's pictures are bytes.

    Raises:
        ValueError: They are not.
    """
    kinds = {str(shard.dtype) for shard in worker.shards.values()} - {"uint8"}
    if kinds:
        raise ValueError(f"expected pictures as uint8, got {', '.join(sorted(kinds))}")


def pixel_budget(worker: Worker, resident_bytes: int | None) -> int | None:
    """Return how many bytes of pixels may be resident, where no budget is given.

    On a CPU none: the system keeps what it has room for of the files that pixels are mapped from,
    and a copy would take its place.
    """
    return 0 if resident_bytes is None and worker.device.type == "cpu" else resident_bytes
