"""Chunks of rows that fit a core's cache, worked on by threads, results in the chunks' order."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

import torch

T = TypeVar("T")


def row_chunks(rows: int, chunk: int) -> list[tuple[int, int]]:
    """Cut `rows` rows into ranges of `chunk`, the last one shorter.

    >>> row_chunks(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(start, min(rows, start + chunk)) for start in range(0, rows, chunk)]


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch compute with one thread a caller; restores the process's setting at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class ChunkPool:
    """Maps a function over chunks on threads, each of which computes with one torch thread.

    Parallelism lies between chunks, whose bounds do not depend on the number of threads, and
    results come in the chunks' order: sums taken over them are the same bits for any number.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or torch.get_num_threads()
        self._executor = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self._single = one_torch_thread()

    def __enter__(self) -> "ChunkPool":
        self._single.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
        self._single.__exit__(kind, error, trace)

    def map(
        self, function: Callable[[tuple[int, int]], T], chunks: list[tuple[int, int]]
    ) -> Iterator[T]:
        """Yield `function(chunk)` for every chunk, in order."""
        if self._executor is None or len(chunks) == 1:
            return map(function, chunks)
        return self._executor.map(function, chunks)
