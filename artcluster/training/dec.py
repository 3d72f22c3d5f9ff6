"""DEC's refinement on vectors: a dense encoder and the centroids together, without the decoder."""

from collections.abc import Mapping

import numpy as np
import torch

from artcluster.clustering.encoder import encoder_from_state
from artcluster.training.reconstruction import DTYPES
from artcluster.training.refinement import Clustering, DecConfig, DecResult, refine
from artcluster.training.worker import Worker


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
        config: How to refine.

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
