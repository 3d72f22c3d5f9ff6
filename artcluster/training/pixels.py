"""Training of a convolutional autoencoder on pixels."""

from dataclasses import dataclass

import torch
from torch import nn

from artcluster.clustering.losses import squared_error_sum
from artcluster.training.optimizers import OptimizerName
from artcluster.training.reconstruction import (
    DTYPES,
    Reconstruction,
    ReconstructionConfig,
    train_reconstruction,
)
from artcluster.training.stream import BatchStream
from artcluster.training.worker import Worker


@dataclass(frozen=True, kw_only=True)
class CaeConfig(ReconstructionConfig):
    """DCEC-Paint's settings: 200 epochs of 128 images, AdaMax at Keras's 0.001."""

    batch_size: int = 128
    optimizer: OptimizerName = "adamax"


def train_cae(
    worker: Worker, network: nn.Module, config: CaeConfig, *, row_shape: tuple[int, int, int]
) -> Reconstruction:
    """Train a convolutional autoencoder on the worker's pictures, N×H×W×C shards of uint8.

    Pixels stay bytes, in memory or in mapped files, until their batch is drawn; then they are
    scaled to [0, 1].

    Args:
        worker: This rank.
        network: Returns code and reconstruction of pictures (N, C, H, W); with the same weights on
            every rank. It is trained in place.
        config: How to train.
        row_shape: Height, width and channels of the pictures.

    Raises:
        ValueError: The shards are not uint8 or of another shape, or the job's checkpoint is of
            another job.

    Source: Castellano and Vessio 2021, "Deep convolutional embedding for digitized painting
    clustering" (DCEC-Paint), §3 and §4; the mean squared error is Keras's, averaged over pixels.
    """
    kinds = {str(shard.dtype) for shard in worker.shards.values()} - {"uint8"}
    if kinds:
        raise ValueError(f"expected pictures as uint8, got {', '.join(sorted(kinds))}")
    dtype = DTYPES[config.dtype]
    network.to(worker.device, dtype).train()
    batches = BatchStream(
        worker,
        row_shape=row_shape,
        dtype=torch.uint8,
        batch_size=config.batch_size,
        seed=config.seed,
        resident_bytes=config.resident_bytes,
    )

    def batch_error(pixels_NHWC: torch.Tensor) -> torch.Tensor:
        pixels = pixels_NHWC.permute(0, 3, 1, 2).to(dtype).div_(255.0)
        _, reconstruction = network(pixels)
        return squared_error_sum(reconstruction, pixels)

    height, width, channels = row_shape
    return train_reconstruction(
        worker,
        network,
        batches,
        batch_error,
        config,
        stage="cae",
        row_elements=height * width * channels,
    )
