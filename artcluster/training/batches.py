"""Which rows a batch holds: the same whoever owns them, so that workers change nothing but speed.

The data is cut into a fixed number of virtual shards. Every batch draws from all of them in
proportion to their rows, in an order that each shard's own seeded permutation sets. A rank that
owns some of the shards knows its rows of every batch without asking the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from artcluster.training.rows import Rows, place_rows
from artcluster.training.worker import Worker

VIRTUAL_SHARDS = 64
"""Enough for that many ranks; more would change no result but the order of the rows."""


def shard_bounds(rows: int, shards: int = VIRTUAL_SHARDS) -> np.ndarray:
    """Return where to cut rows into virtual shards that differ by at most one row.

    Args:
        rows: Rows of the data set, at least 1.
        shards: Shards wanted, at least 1; fewer rows than that make a shard each.

    Returns:
        int64, one more than there are shards: shard i holds rows bounds[i] to bounds[i + 1].

    Raises:
        ValueError: There is nothing to cut, or no shard to cut it into.

    Example:
        >>> shard_bounds(10, 4).tolist()
        [0, 2, 5, 7, 10]
        >>> shard_bounds(2, 4).tolist()
        [0, 1, 2]
    """
    if rows < 1 or shards < 1:
        raise ValueError(f"expected at least one row and one shard, got {rows} and {shards}")
    count = min(shards, rows)
    return np.arange(count + 1, dtype=np.int64) * rows // count


def cut_into_shards(rows: np.ndarray, shards: int = VIRTUAL_SHARDS) -> list[np.ndarray]:
    """Cut rows into virtual shards: views in the rows' order."""
    bounds = shard_bounds(len(rows), shards)
    return [rows[start:stop] for start, stop in pairwise(bounds)]


def owned_shards(shards: int, rank: int, world: int) -> range:
    """Return the shards of a rank: every world-th, beginning with its own number.

    Example:
        >>> list(owned_shards(5, rank=1, world=2))
        [1, 3]
    """
    return range(rank, shards, world)


class BatchPlan:
    """The batches of every epoch, and the rows of one rank in them.

    An epoch holds each row once. All its batches are of `batch_size` rows but the last. Row j of
    n in a shard stands at (j + ½) / n of the epoch, staggered by shard, which spreads each shard
    evenly over the batches.

    Args:
        shard_rows: Rows of every virtual shard.
        owned: The shards of this rank. Its rows are numbered through them in increasing order.
        batch_size: Rows of a batch over all ranks.
        seed: Seeds the permutations.

    Raises:
        ValueError: `batch_size` is below 1, or there are no rows.
    """

    def __init__(
        self, shard_rows: Sequence[int], owned: Sequence[int], batch_size: int, seed: int
    ) -> None:
        self.rows = sum(shard_rows)
        if batch_size < 1 or self.rows < 1:
            raise ValueError(
                f"expected rows, and batches of at least 1; got {self.rows} rows and batch_size "
                f"{batch_size}"
            )
        self.seed = seed
        self.batches = -(-self.rows // batch_size)
        """Batches of an epoch."""
        self._owned = [(shard, shard_rows[shard]) for shard in sorted(owned)]
        bounds = np.minimum(np.arange(self.batches + 1, dtype=np.int64) * batch_size, self.rows)
        self._sizes = np.diff(bounds)
        shard_of_slot = _interleave(shard_rows)
        owned_slots = np.flatnonzero(np.isin(shard_of_slot, [shard for shard, _ in self._owned]))
        self._offsets = np.searchsorted(owned_slots, bounds)
        self._by_shard = np.argsort(shard_of_slot[owned_slots], kind="stable")

    def batch_rows(self, batch: int) -> int:
        """Return the rows of a batch of the epoch over all ranks."""
        return int(self._sizes[batch])

    def span(self, batch: int) -> tuple[int, int]:
        """Return where in the epoch's order this rank's rows of a batch begin and end."""
        return int(self._offsets[batch]), int(self._offsets[batch + 1])

    def rows_through(self, step: int) -> int:
        """Return the rows, over all ranks, that an epoch has drawn once this step is done.

        Steps count on through the epochs.
        """
        return int(self._sizes[: step % self.batches + 1].sum())

    def order(self, epoch: int) -> np.ndarray:
        """Return this rank's rows, int64, in the order of an epoch."""
        permutations = []
        start = 0
        for shard, rows in self._owned:
            generator = np.random.default_rng((self.seed, epoch, shard))
            permutations.append(start + generator.permutation(rows))
            start += rows
        order = np.empty(start, dtype=np.int64)
        if permutations:
            order[self._by_shard] = np.concatenate(permutations)
        return order


def _interleave(shard_rows: Sequence[int]) -> np.ndarray:
    """Return the shard that each slot of an epoch draws from."""
    stagger = (np.arange(len(shard_rows)) + 0.5) / len(shard_rows)
    positions = [
        (np.arange(rows) + stagger[shard]) / max(1, rows) for shard, rows in enumerate(shard_rows)
    ]
    shards = np.repeat(np.arange(len(shard_rows), dtype=np.int32), shard_rows)
    return shards[np.argsort(np.concatenate(positions), kind="stable")]


@dataclass(frozen=True)
class Batch:
    """One rank's part of a batch.

    Attributes:
        x: Its rows, maybe none; good until the next batch is drawn.
        numbers: Which of the rank's rows they are, int64.
        total: Rows of the batch over all ranks.
    """

    x: torch.Tensor
    numbers: torch.Tensor
    total: int


class BatchStream:
    """Draws a rank's part of any step's batch.

    Args:
        worker: This rank.
        row_shape: Shape of one row.
        dtype: Of the rows on the device.
        batch_size: Rows of a batch over all ranks.
        seed: Seeds the order.
        resident_bytes: Rows larger than this are streamed; by default half of the free memory.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        row_shape: tuple[int, ...],
        dtype: torch.dtype,
        batch_size: int,
        seed: int,
        resident_bytes: int | None,
    ) -> None:
        owned = sorted(worker.shards)
        self.plan = BatchPlan(worker.shard_rows, owned, batch_size, seed)
        self.rows: Rows = place_rows(
            [worker.shards[shard] for shard in owned],
            row_shape=row_shape,
            dtype=dtype,
            device=worker.device,
            resident_bytes=resident_bytes,
        )
        self._device = worker.device
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def batch(self, step: int) -> Batch:
        """Draw the batch of a step; steps count on through the epochs."""
        epoch, number = divmod(step, self.plan.batches)
        if epoch != self._epoch:
            order = self.plan.order(epoch)
            self.rows.arrange(order)
            self._order = torch.from_numpy(order).to(self._device)
            self._epoch = epoch
        start, stop = self.plan.span(number)
        return Batch(
            self.rows.drawn(start, stop), self._order[start:stop], self.plan.batch_rows(number)
        )
