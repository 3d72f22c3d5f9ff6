"""Encoding and assigning in blocks of one fixed size: a row's bits do not depend on its company.

Matrix products of one shape give a row the same bits wherever it stands; of another shape they may
not. So rows are computed in blocks of a fixed size, the last one padded with zeros.
"""

from collections.abc import Callable

import numpy as np
import torch

from artcluster.clustering.chunks import ChunkPool, row_chunks
from artcluster.clustering.model.confidence import Membership, membership
from artcluster.clustering.model.rules import Rule
from artcluster.clustering.model.space import ModelSpace

_BLOCK_ROWS = 256


def _blocks(space: ModelSpace, x_ND: np.ndarray) -> Callable[[tuple[int, int]], torch.Tensor]:
    """Return a function that encodes a range of at most `_BLOCK_ROWS` rows."""
    if x_ND.ndim != 2 or x_ND.shape[1] != space.dim:
        raise ValueError(
            f"the model takes vectors of {space.dim} numbers, got an array of shape {x_ND.shape}: "
            "embed the images with the model's embedder"
        )

    def encode(bounds: tuple[int, int]) -> torch.Tensor:
        a, b = bounds
        block = np.zeros((_BLOCK_ROWS, space.dim), dtype=np.float32)
        block[: b - a] = x_ND[a:b]
        if not np.isfinite(block).all():
            row = a + int(np.argmin(np.isfinite(block).all(1)))
            raise ValueError(f"vectors must be finite, but row {row} is not: leave it out")
        with torch.inference_mode():
            return space(torch.from_numpy(block))

    return encode


def encode_blocks(space: ModelSpace, x_ND: np.ndarray, threads: int) -> np.ndarray:
    """Map vectors into a model's space, float32 (N, out_dim).

    Raises:
        ValueError: Vectors are not finite or not of the space's length.
    """
    encode = _blocks(space, x_ND)
    z_ND = np.empty((len(x_ND), space.out_dim), dtype=np.float32)
    chunks = row_chunks(len(x_ND), _BLOCK_ROWS)
    with ChunkPool(threads) as pool:
        for (a, b), z in zip(chunks, pool.map(encode, chunks), strict=True):
            z_ND[a:b] = z[: b - a].numpy()
    return z_ND


def membership_blocks(
    space: ModelSpace,
    centroids_KD: np.ndarray,
    x_ND: np.ndarray,
    threads: int,
    rule: Rule | None = None,
) -> Membership:
    """Assign vectors to centroids in a model's space, the nearest or by a rule.

    Raises:
        ValueError: Vectors are not finite or not of the space's length.
    """
    encode = _blocks(space, x_ND)
    centroids = torch.from_numpy(centroids_KD)
    n = len(x_ND)
    whole = Membership(
        cluster=np.empty(n, np.int32),
        confidence=np.empty(n, np.float32),
        margin=np.empty(n, np.float32),
        distance=np.empty(n, np.float32),
        second_cluster=np.empty(n, np.int32),
    )

    def assign(bounds: tuple[int, int]) -> None:
        a, b = bounds
        z = encode(bounds)
        found = membership(z, centroids, None if rule is None else rule(z).numpy())
        for name, column in whole.__dict__.items():
            column[a:b] = found.__dict__[name][: b - a]

    with ChunkPool(threads) as pool:
        for _ in pool.map(assign, row_chunks(n, _BLOCK_ROWS)):
            pass
    return whole
