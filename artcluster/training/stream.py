"""The batches of a training loop, by step: where a job resumes, its batches resume too."""

from dataclasses import dataclass

import torch

from artcluster.training.batches import BatchPlan
from artcluster.training.rows import Rows, place_rows
from artcluster.training.worker import Worker


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
