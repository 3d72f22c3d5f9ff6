"""The rows that a rank trains on: resident on its device, or streamed to it where too large."""

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

_COPY_BYTES = 64 * 1024**2


class Rows(Protocol):
    """Rows of one rank, drawn in an order or read through."""

    count: int

    def arrange(self, order: np.ndarray) -> None:
        """Set the order that `drawn` draws in, int64 row numbers."""
        ...

    def drawn(self, start: int, stop: int) -> torch.Tensor:
        """Return the rows at places start to stop of the order, on the device.

        They are good until the next call.
        """
        ...

    def chunk(self, start: int, stop: int) -> torch.Tensor:
        """Return rows start to stop themselves, on the device."""
        ...


class ResidentRows:
    """All rows in the device's memory; a batch is one gather.

    Args:
        shards: Arrays of rows, of any length, copied a piece at a time; may be memory-mapped.
        row_shape: Shape of one row, known even where there are no shards.
        dtype: Of the rows on the device.
        device: Where they lie.
    """

    def __init__(
        self,
        shards: Sequence[np.ndarray],
        *,
        row_shape: tuple[int, ...],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.count = sum(len(shard) for shard in shards)
        self._rows = torch.empty((self.count, *row_shape), dtype=dtype, device=device)
        self._order = torch.empty(0, dtype=torch.int64, device=device)
        self._batch = torch.empty((0, *row_shape), dtype=dtype, device=device)
        row_bytes = max(1, self._rows.element_size() * int(np.prod(row_shape)))
        piece = max(1, _COPY_BYTES // row_bytes)
        filled = 0
        for shard in shards:
            for start in range(0, len(shard), piece):
                rows = torch.tensor(shard[start : start + piece], dtype=dtype)
                self._rows[filled : filled + len(rows)].copy_(rows)
                filled += len(rows)

    def arrange(self, order: np.ndarray) -> None:
        """Set the order that `drawn` draws in."""
        self._order = torch.from_numpy(order).to(self._rows.device)

    def drawn(self, start: int, stop: int) -> torch.Tensor:
        """Gather into one buffer that every batch reuses."""
        if len(self._batch) < stop - start:
            self._batch = self._rows.new_empty((stop - start, *self._rows.shape[1:]))
        batch = self._batch[: stop - start]
        return torch.index_select(self._rows, 0, self._order[start:stop], out=batch)

    def chunk(self, start: int, stop: int) -> torch.Tensor:
        """Return a view of rows start to stop."""
        return self._rows[start:stop]


class StreamedRows:
    """Rows that stay in host memory, or in a mapped file, and pass to the device a batch at a time.

    Args:
        shards: Arrays of rows.
        row_shape: Shape of one row.
        dtype: Of the rows on the device.
        device: Where batches go.
    """

    def __init__(
        self,
        shards: Sequence[np.ndarray],
        *,
        row_shape: tuple[int, ...],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._shards = list(shards)
        self._starts = np.cumsum([0, *(len(shard) for shard in shards)])
        self.count = int(self._starts[-1])
        self._row_shape = row_shape
        self._dtype = dtype
        self._device = device
        self._order = np.empty(0, dtype=np.int64)

    def arrange(self, order: np.ndarray) -> None:
        """Set the order that `drawn` draws in."""
        self._order = order

    def drawn(self, start: int, stop: int) -> torch.Tensor:
        """Gather from every shard and copy to the device."""
        return self._load(self._order[start:stop])

    def chunk(self, start: int, stop: int) -> torch.Tensor:
        """Copy rows start to stop to the device."""
        return self._load(np.arange(start, stop))

    def _load(self, numbers: np.ndarray) -> torch.Tensor:
        # Pinned where it pays: the allocator keeps the buffer until the copy has finished.
        pinned = self._device.type == "cuda"
        host = torch.empty((len(numbers), *self._row_shape), dtype=self._dtype, pin_memory=pinned)
        places = host.numpy()
        shard_of_row = np.searchsorted(self._starts, numbers, side="right") - 1
        for shard in np.unique(shard_of_row):
            here = shard_of_row == shard
            places[here] = self._shards[shard][numbers[here] - self._starts[shard]]
        return host.to(self._device, non_blocking=pinned)


def place_rows(
    shards: Sequence[np.ndarray],
    *,
    row_shape: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
    resident_bytes: int | None = None,
) -> Rows:
    """Keep rows resident where they fit into the budget, else stream them.

    Args:
        shards: Arrays of rows, each (rows, *row_shape).
        row_shape: Shape of one row.
        dtype: Of the rows on the device.
        device: Where they are used.
        resident_bytes: Budget; by default half of the device's free memory.

    Raises:
        ValueError: A shard's rows are of another shape.
    """
    for shard in shards:
        if shard.shape[1:] != row_shape:
            raise ValueError(
                f"expected rows of shape {row_shape} in every shard, got {shard.shape[1:]}: "
                "do the vectors come from another embedder?"
            )
    count = sum(len(shard) for shard in shards)
    needed = count * int(np.prod(row_shape)) * dtype.itemsize
    budget = _free_bytes(device) // 2 if resident_bytes is None else resident_bytes
    kind = ResidentRows if needed <= budget else StreamedRows
    return kind(shards, row_shape=row_shape, dtype=dtype, device=device)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
