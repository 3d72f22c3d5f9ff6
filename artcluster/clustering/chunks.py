"""Chunks of rows that fit a core's cache, worked on by threads, results in the chunks' order."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_ALIGNED = 16
"""Numbers that fill a cache line; MKL adds up those of other rows in an order of its own."""


def row_products(bias: Tensor, x_ND: Tensor, weight_MD: Tensor, *, alpha: float = 1) -> Tensor:
    """Return bias + α · x·Wᵀ, (N, M), in which a row's bits do not depend on its place.

    In small products whose rows do not begin at a cache line, MKL's kernels for AVX-512 give equal
    rows other bits at odd places than at even ones. Zeros at the end of each row make them begin
    there.

    >>> row_products(torch.zeros(1), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]])).item()
    11.0
    """
    missing = -x_ND.shape[1] % _ALIGNED
    x, weight = (functional.pad(each, (0, missing)) for each in (x_ND, weight_MD))
    return torch.addmm(bias, x, weight.T, alpha=alpha)


def squared_distances(z_ND: Tensor, points_PD: Tensor) -> Tensor:
    """Return squared distances in float64, (N, P)."""
    z, points = z_ND.double(), points_PD.double()
    found = row_products(torch.linalg.vecdot(points, points)[None, :], z, points, alpha=-2)
    return found.add_(torch.linalg.vecdot(z, z)[:, None]).clamp_(min=0)


def unit_rows(x_ND: np.ndarray) -> np.ndarray:
    """Scale each row to length one; rows of zeros stay.

    Returns:
        float32 (N, D).

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    x_ND = np.asarray(x_ND, np.float32)
    length_N1 = np.linalg.norm(x_ND, axis=1, keepdims=True)
    return x_ND / np.where(length_N1 > 0, length_N1, 1)


T = TypeVar("T")


def row_chunks(rows: int, chunk: int) -> list[tuple[int, int]]:
    """Cut `rows` rows into ranges of `chunk`, the last one shorter.

    >>> row_chunks(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(start, min(rows, start + chunk)) for start in range(0, rows, chunk)]


class _SingleThread:
    """Lets torch compute with one thread per caller while at least one pool is open.

    The number is the whole process's: of pools that overlap the first notes what it was, and the
    last sets it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._threads = 0

    def outside(self) -> int:
        """Return the number of torch's threads outside of pools."""
        with self._lock:
            return self._threads if self._users else torch.get_num_threads()

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._threads = torch.get_num_threads()
                torch.set_num_threads(1)
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                torch.set_num_threads(self._threads)


_single_thread = _SingleThread()


class ChunkPool:
    """Maps a function over chunks on threads, each of which computes with one torch thread.

    Parallelism lies between chunks, whose bounds do not depend on the number of threads, and
    results come in the chunks' order: sums taken over them are the same bits for any number.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or _single_thread.outside()
        self._executor = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def __enter__(self) -> "ChunkPool":
        _single_thread.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
        _single_thread.__exit__()

    def map(
        self, function: Callable[[tuple[int, int]], T], chunks: list[tuple[int, int]]
    ) -> Iterator[T]:
        """Yield `function(chunk)` for every chunk, in order."""
        if self._executor is None or len(chunks) == 1:
            return map(function, chunks)
        return self._executor.map(function, chunks)
