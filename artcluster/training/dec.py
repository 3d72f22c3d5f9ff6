"""DEC's refinement on vectors: a dense encoder and the centroids together, without the decoder."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from artcluster.clustering.encoder import encoder_from_state
from artcluster.embedders.trained_networks import Autoencoder, network_input
from artcluster.training.autoencoders import check_bytes, pixel_budget
from artcluster.training.reconstruction import DTYPES
from artcluster.training.refinement import Clustering, DecConfig, DecResult, refine
from artcluster.training.worker import Worker

_PICTURES_AT_ONCE = 256
"""Pictures that are encoded at once at a refresh, at most: they are larger than vectors."""


def train_dcec(
    worker: Worker,
    network: Autoencoder,
    centroids_KD: np.ndarray,
    config: DecConfig,
    *,
    row_shape: tuple[int, int, int],
    autoencoder: Mapping[str, torch.Tensor] | None = None,
) -> DecResult:
    """Refine a convolutional autoencoder and centroids on the worker's pictures, N×H×W×3 uint8.

    Pixels stay bytes until their batch is drawn, as in `train_cae`. The decoder is trained along
    where the reconstruction has a weight, and dropped where it has none.

    Args:
        worker: This rank.
        network: An autoencoder, trained in place.
        centroids_KD: Seeds, from k-means on its codes.
        row_shape: Height, width and channels of the pictures, which are in colour.
        autoencoder: State to begin from; None for the network's own.

    Returns:
        The refined encoder: the same, but for rounding, with any number of ranks, and identical
        where a run was interrupted and resumed.

    Raises:
        ValueError: The shards are not uint8 or of another shape, centroids and codes differ in
            length, the loss is no longer finite, or the job's checkpoint is of another job.

    Source: Castellano and Vessio 2021 (DCEC-Paint), §3 and §4.2; Guo et al. 2017 (DCEC), Eq. 5.
    """
    check_bytes(worker)
    if autoencoder is not None:
        network.load_state_dict(dict(autoencoder))
    network.to(memory_format=torch.channels_last)
    model = Clustering(
        network.encoder,
        centroids_KD,
        code_dim=network.code,
        decoder=network.decoder if config.reconstruction_weight else None,
        prepare=partial(network_input, channels=network.channels, dtype=DTYPES[config.dtype]),
    )
    config = replace(
        config,
        resident_bytes=pixel_budget(worker, config.resident_bytes),
        chunk_rows=min(config.chunk_rows, _PICTURES_AT_ONCE),
    )
    return refine(worker, model, config, stage="dcec", row_shape=row_shape, row_dtype=torch.uint8)


def train_dec(
    worker: Worker,
    autoencoder: Mapping[str, torch.Tensor],
    centroids_KD: np.ndarray,
    config: DecConfig,
) -> DecResult:
    """Refine an encoder and centroids on the worker's vectors, N×D shards of floats.

    Args:
        worker: This rank.
        autoencoder: State of the pre-trained autoencoder, or of its encoder alone.
        centroids_KD: Seeds, from k-means on the codes.

    Returns:
        The same, but for rounding, with any number of ranks, and identical where a run was
        interrupted and resumed.

    Raises:
        ValueError: Centroids and codes differ in length, a weight of the reconstruction is given,
            the loss is no longer finite, or the job's checkpoint is of another job.

    Source: Xie et al. 2016, §3.1; Castellano and Vessio 2021 (DELIUS), §3.3, Algorithm 1 and §4.2.
    """
    if config.reconstruction_weight:
        raise ValueError(
            "DEC drops the decoder: reconstruction_weight must be 0, got "
            f"{config.reconstruction_weight}"
        )
    encoder = encoder_from_state(autoencoder)
    return refine(
        worker,
        Clustering(encoder, centroids_KD, code_dim=list(encoder.parameters())[-1].shape[0]),
        config,
        stage="dec",
        row_shape=(next(encoder.parameters()).shape[1],),
        row_dtype=DTYPES[config.dtype],
    )
