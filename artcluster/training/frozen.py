"""Outputs of a frozen network, computed once and kept where they fit, else computed when drawn."""

import tempfile
from collections.abc import Callable, Sequence

import numpy as np
import torch

from artcluster.training.rows import StreamedRows


def dropout_masks(
    numbers: np.ndarray, width: int, rate: float, seed: int, epoch: int
) -> np.ndarray:
    """Return what rows of features are multiplied by: 0, or 1 / (1 − rate).

    Args:
        numbers: Numbers of the rows in the whole data set, (N,).
        width: Features of a row.
        rate: Chance of a zero, from 0 up to 1.
        seed: Seeds all masks.
        epoch: A row has another mask in each.

    Returns:
        float32 (N, width).

    Raises:
        ValueError: The rate is outside [0, 1).

    Source: Srivastava et al. 2014, "Dropout", in the inverted form that Keras and torch have.

    >>> dropout_masks(np.array([7]), 4, 0.5, seed=0, epoch=0).tolist()
    [[2.0, 0.0, 0.0, 2.0]]
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {rate}")
    masks = np.empty((len(numbers), width), np.float32)
    for mask, number in zip(masks, numbers.tolist(), strict=True):
        kept = np.random.default_rng((seed, epoch, number)).random(width, np.float32) >= rate
        np.multiply(kept, np.float32(1 / (1 - rate)), out=mask)
    return masks


Draw = Callable[[np.ndarray], torch.Tensor]
"""From row numbers, int64, to the rows on the device."""


_CHUNK_ROWS = 32


class PixelRows:
    """Pictures in host memory or mapped files, drawn by number.

    Args:
        shards: uint8 (rows, H, W, 3).
        row_shape: Height, width and channels.
        device: Where drawn rows go.
    """

    def __init__(
        self,
        shards: Sequence[np.ndarray],
        row_shape: tuple[int, int, int],
        device: torch.device,
    ) -> None:
        self._rows = StreamedRows(shards, row_shape=row_shape, dtype=torch.uint8, device=device)
        self.count = self._rows.count

    def __call__(self, numbers: np.ndarray) -> torch.Tensor:
        """Return rows by number, on the device."""
        self._rows.arrange(numbers)
        return self._rows.drawn(0, len(numbers))


class FrozenOutputs:
    """What a frozen function makes of rows.

    Kept in a temporary file, which goes with the process, where all of them fit into the budget.

    Args:
        rows: Draws what the function is applied to.
        count: Number of the rows.
        function: From rows to rows; the same for the same rows.
        device: Where drawn outputs go.
        budget_bytes: Size of the file at most.
        told: Called with numbers of rows as they are computed beforehand.
    """

    def __init__(
        self,
        rows: Draw,
        count: int,
        function: Callable[[torch.Tensor], torch.Tensor],
        *,
        device: torch.device,
        budget_bytes: int,
        told: Callable[[int], None] | None = None,
    ) -> None:
        self._draw = rows
        self._function = function
        self._device = device
        self.count = count
        self._kept: np.ndarray | None = None
        first = self._outputs(np.arange(min(1, count))).cpu().numpy()
        self.row_bytes = first.itemsize * int(np.prod(first.shape[1:]))
        if count and count * self.row_bytes <= budget_bytes:
            with tempfile.TemporaryFile(prefix="artcluster-maps-") as file:
                kept = np.memmap(file, first.dtype, mode="w+", shape=(count, *first.shape[1:]))
            for start in range(0, count, _CHUNK_ROWS):
                numbers = np.arange(start, min(start + _CHUNK_ROWS, count))
                kept[start : start + len(numbers)] = self._outputs(numbers).cpu().numpy()
                if told is not None:
                    told(len(numbers))
            self._kept = kept

    @property
    def kept_bytes(self) -> int:
        """Bytes of the temporary file; 0 where outputs are computed when they are drawn."""
        return 0 if self._kept is None else self._kept.nbytes

    def __call__(self, numbers: np.ndarray) -> torch.Tensor:
        """Return outputs by number, on the device."""
        if self._kept is None:
            return self._outputs(numbers)
        return torch.from_numpy(self._kept[numbers]).to(self._device)

    @torch.no_grad()
    def _outputs(self, numbers: np.ndarray) -> torch.Tensor:
        return self._function(self._draw(numbers))
