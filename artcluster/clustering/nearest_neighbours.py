"""The nearest neighbours of each vector among all the others, exactly."""

import numpy as np
import torch

from artcluster.clustering.row_chunks import ChunkPool, row_chunks

_ROWS = 256


def nearest_neighbours(x_ND: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of each vector's nearest others, and their cosine distances, nearest first.

    Every pair is compared, in blocks: memory is a block of N numbers a thread, work N² · D.

    Args:
        x_ND: Vectors of length one, float32.
        count: How many of each, 1 … N − 1.

    Returns:
        int64 (N, count), and float32 (N, count) from 0 to 2.

    Raises:
        ValueError: There are not that many others.

    >>> rows, distances = nearest_neighbours(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32), 1)
    >>> rows.tolist(), [round(float(each), 3) for each in distances[:, 0]]
    ([[2], [2], [1]], [0.4, 0.2, 0.2])
    """
    total = len(x_ND)
    if not 1 <= count < total:
        raise ValueError(f"count must lie in 1 … {total - 1}, the other vectors, got {count}")
    x = torch.from_numpy(np.ascontiguousarray(x_ND, np.float32))
    rows_NC = torch.empty((total, count), dtype=torch.int64)
    distance_NC = torch.empty((total, count))

    def search(bounds: tuple[int, int]) -> None:
        a, b = bounds
        cosine = x[a:b] @ x.T
        cosine[torch.arange(b - a), torch.arange(a, b)] = -torch.inf
        found = cosine.topk(count, dim=1)
        rows_NC[a:b] = found.indices
        distance_NC[a:b] = (1 - found.values).clamp_(min=0)

    with ChunkPool() as pool:
        for _ in pool.map(search, row_chunks(total, _ROWS)):
            pass
    return rows_NC.numpy(), distance_NC.numpy()
