"""Training of a convolutional autoencoder on pixels."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from artcluster.clustering.losses import squared_error_sum
from artcluster.embedders.pixel_input import network_input
from artcluster.embedders.trained_networks import Autoencoder
from artcluster.training.optimizers import OptimizerName
from artcluster.training.reconstruction import (
    DTYPES,
    Reconstruction,
    ReconstructionConfig,
    train_reconstruction,
)
from artcluster.training.stream import BatchStream
from artcluster.training.worker import Worker

_MEASURED_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class CaeConfig(ReconstructionConfig):
    """DCEC-Paint's settings: 200 epochs of 128 images, AdaMax at Keras's 0.001."""

    batch_size: int = 128
    optimizer: OptimizerName = "adamax"


@dataclass(frozen=True, kw_only=True)
class GenreCaeConfig(ReconstructionConfig):
    """The genre paper's settings: 140 epochs; batches and optimiser, which it does not state, are
    Keras's defaults."""

    epochs: int = 140
    batch_size: int = 32


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
        config: How to train.
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
