"""The target distribution over all data, and what is seen each time that it is refreshed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from artcluster.clustering.dec import (
    changed_labels,
    kl_divergence_sum,
    soft_frequencies,
    target_distribution,
)
from artcluster.training.checkpoints import State
from artcluster.training.rows import Rows
from artcluster.training.worker import Worker


@dataclass(frozen=True)
class RefreshStats:
    """The whole data set as seen at one refresh.

    Attributes:
        iteration: Iterations done before it.
        loss: KL(P‖Q) in nats a sample, right after the target P was renewed.
        label_change: Share of the points whose cluster changed since the refresh before; 0 at the
            first, which sees the seeds.
        sizes: Points in each cluster.
    """

    iteration: int
    loss: float
    label_change: float
    sizes: tuple[int, ...]


class TargetDistribution:
    """Keeps the target of a rank's rows, and the history of refreshes.

    Args:
        worker: This rank.
        rows: Its rows.
        clusters: Number of clusters K.
        dtype: Of the target.
        chunk_rows: Rows encoded at once.
    """

    def __init__(
        self, worker: Worker, rows: Rows, clusters: int, dtype: torch.dtype, chunk_rows: int
    ) -> None:
        self._worker = worker
        self._rows = rows
        self._chunk_rows = chunk_rows
        self._total_rows = sum(worker.shard_rows)
        self._target_NK = torch.zeros((rows.count, clusters), dtype=dtype, device=worker.device)
        self._labels_N: torch.Tensor | None = None
        self.history: list[RefreshStats] = []

    def target(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the target of some of the rank's rows."""
        return self._target_NK.index_select(0, numbers)

    @torch.no_grad()
    def refresh(self, assign: Callable[[torch.Tensor], torch.Tensor], iteration: int) -> None:
        """Renew the target from soft assignments of all rows, each encoded once.

        A refresh that the history already has, at a resumed job's start, adds nothing to it.

        Args:
            assign: From rows to soft assignments.
            iteration: Iterations done.

        Raises:
            ValueError: The loss is no longer finite.
        """
        q_NK = self._target_NK
        clusters = q_NK.shape[1]
        for start in range(0, self._rows.count, self._chunk_rows):
            stop = min(start + self._chunk_rows, self._rows.count)
            q_NK[start:stop] = assign(self._rows.chunk(start, stop))
        labels_N = q_NK.argmax(dim=1)
        before_N = labels_N if self._labels_N is None else self._labels_N
        self._labels_N = labels_N
        sums = torch.cat(
            [
                soft_frequencies(q_NK),
                torch.bincount(labels_N, minlength=clusters).to(torch.float64),
                changed_labels(before_N, labels_N).to(torch.float64)[None],
            ]
        )
        self._worker.reduce(sums)
        loss = torch.zeros((), dtype=torch.float64, device=self._worker.device)
        for start in range(0, self._rows.count, self._chunk_rows):
            q = q_NK[start : start + self._chunk_rows]
            p = target_distribution(q, sums[:clusters])
            loss += kl_divergence_sum(p, q)
            q_NK[start : start + self._chunk_rows] = p
        mean_loss = self._worker.reduce(loss).item() / self._total_rows
        if not math.isfinite(mean_loss):
            raise ValueError(
                f"the clustering loss is {mean_loss} after {iteration} iterations: lower "
                "learning_rate, or look for numbers in the data that are not finite"
            )
        if not self.history or self.history[-1].iteration < iteration:
            *sizes, changed = (int(value) for value in sums[clusters:].tolist())
            self.history.append(
                RefreshStats(iteration, mean_loss, changed / self._total_rows, tuple(sizes))
            )

    def packed(self) -> State:
        """Return the history for a checkpoint; labels and target follow from the model."""
        return {
            "history": torch.tensor(
                [[seen.iteration, seen.loss, seen.label_change] for seen in self.history],
                dtype=torch.float64,
            ),
            "sizes": torch.tensor([seen.sizes for seen in self.history], dtype=torch.int64),
        }

    def restore(self, state: State) -> None:
        """Go on from `packed`."""
        self.history = [
            RefreshStats(int(iteration), loss, change, tuple(sizes))
            for (iteration, loss, change), sizes in zip(
                state["history"].tolist(), state["sizes"].tolist(), strict=True
            )
        ]
