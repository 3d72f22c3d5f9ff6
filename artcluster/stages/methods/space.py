"""Vectors in a model's space, before there is a model."""

import numpy as np
import torch

from artcluster.clustering.blockwise import encode_blocks
from artcluster.clustering.model_space import ModelSpace


def codes_of(space: ModelSpace, x_ND: np.ndarray) -> np.ndarray:
    """Return what a model of this space will see of vectors, bit by bit, float32."""
    return encode_blocks(space, x_ND, torch.get_num_threads())
