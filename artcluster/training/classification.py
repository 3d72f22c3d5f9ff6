"""How a classifier is fine-tuned, what it is validated on, and what comes of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """DELIUS's settings; those that it leaves open are Keras's.

    Attributes:
        dropout: Share of the pooled features that is zeroed before the output layer.
        learning_rate: Adam's, while the backbone is frozen.
        fine_tuning_rate: Adam's, while its last block is trained, too.
        patience: Epochs in a row without a new least validation loss that end a phase.
        max_epochs: A budget of each phase.
        max_steps: A budget of each phase, in batches; its last epoch may be a part of one.
        batch_size: Images of a batch over all ranks.
        seed: Seeds the head, the batches and dropout.
        map_bytes: Outputs of the frozen part are kept in a temporary file of at most this size on
            each rank, else computed anew in every epoch.
        checkpoint_interval_s: Seconds between checkpoints.
        checkpoint_steps: Ranks agree whether one is due once in so many steps.
    """

    dropout: float = 0.2
    learning_rate: float = 1e-3
    fine_tuning_rate: float = 1e-4
    patience: int = 2
    max_epochs: int = 100
    max_steps: int | None = None
    batch_size: int = 32
    seed: int = 0
    map_bytes: int = 8 << 30
    checkpoint_interval_s: float = 60.0
    checkpoint_steps: int = 20

    def deciding(self) -> dict[str, Any]:
        """Return the settings that change the result, by name."""
        free = ("map_bytes", "checkpoint_interval_s", "checkpoint_steps")
        return {name: value for name, value in asdict(self).items() if name not in free}


class Epoch(NamedTuple):
    """One epoch's numbers: mean cross-entropy in nats, and the share of images told right.

    Those of training are measured while it goes on, with dropout, as Keras shows them.
    """

    phase: int
    """1: the head alone; 2: the last block, too."""
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Classified:
    """What came of fine-tuning.

    Attributes:
        epochs: Both phases', in order.
        best: Number of the epoch with the least validation loss in each phase, from 0.
        stopped: What ended each phase: `patience`, `max_epochs` or `max_steps`.
        confusion_CC: int64; row: the label; column: what the best network of phase 2 said; counts
            of validation images.
        confusion_head_CC: The same for the best of phase 1.
        trained: Trainable numbers of each phase.
    """

    epochs: tuple[Epoch, ...]
    best: tuple[int, int]
    stopped: tuple[str, str]
    confusion_CC: np.ndarray
    confusion_head_CC: np.ndarray
    trained: tuple[int, int]


@dataclass(frozen=True)
class Labelled:
    """This rank's validation images.

    Attributes:
        pixels: uint8 arrays (rows, H, W, 3).
        classes: Their classes, int64, through all arrays.
    """

    pixels: Sequence[np.ndarray]
    classes: np.ndarray
