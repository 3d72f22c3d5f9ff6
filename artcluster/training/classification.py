"""How a classifier is fine-tuned, what it is validated on, and what comes of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from artcluster.embedders.fine_tuning import FineTunedNetwork
from artcluster.training.checkpoints import State
from artcluster.training.frozen import Draw
from artcluster.training.worker import Worker


class EarlyStopping:
    """Counts the epochs since the best one, as Keras's callback of this name does.

    Args:
        patience: Epochs in a row without a new least loss that end training.

    Raises:
        ValueError: `patience` is below 1.

    >>> stopping = EarlyStopping(patience=2)
    >>> [(stopping.is_best(loss), stopping.is_over) for loss in (3.0, 2.0, 2.5, 2.0)]
    [(True, False), (True, False), (False, False), (False, True)]
    """

    def __init__(self, patience: int) -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self._patience = patience
        self.least = math.inf
        self.stale = 0

    def is_best(self, loss: float) -> bool:
        """Take an epoch's loss and tell whether it is the least so far."""
        best = loss < self.least
        self.stale = 0 if best else self.stale + 1
        self.least = min(loss, self.least)
        return best

    @property
    def is_over(self) -> bool:
        """Whether patience has run out."""
        return self.stale >= self._patience


class Phase:
    """How far a phase is.

    Args:
        patience: Of early stopping.
        classes: How many there are.
    """

    def __init__(self, patience: int, classes: int) -> None:
        self.stopping = EarlyStopping(patience)
        self.best = 0
        self.stopped = ""
        self.confusion_CC = torch.zeros(classes, classes, dtype=torch.int64)
        self.weights: dict[str, torch.Tensor] = {}

    def packed(self, prefix: str) -> State:
        """Return what a checkpoint keeps of it."""
        return {
            f"{prefix}/least": self.stopping.least,
            f"{prefix}/stale": self.stopping.stale,
            f"{prefix}/best": self.best,
            f"{prefix}/stopped": self.stopped,
            f"{prefix}/confusion": self.confusion_CC,
            **{f"{prefix}/weights/{name}": value for name, value in self.weights.items()},
        }

    def restore(self, state: State, prefix: str) -> None:
        """Go on from `packed`."""
        self.stopping.least = state[f"{prefix}/least"]
        self.stopping.stale = state[f"{prefix}/stale"]
        self.best = state[f"{prefix}/best"]
        self.stopped = state[f"{prefix}/stopped"]
        self.confusion_CC = state[f"{prefix}/confusion"]
        named = f"{prefix}/weights/"
        self.weights = {
            name.removeprefix(named): value.clone()
            for name, value in state.items()
            if name.startswith(named)
        }


def validation_rows(labels: Sequence[str], share: float, seed: int) -> np.ndarray:
    """Choose the rows to validate on: of each label its share, at least one, but not all.

    A label with a single row is trained on alone.

    Args:
        labels: A label of each row.
        share: Of each label's rows, 0 to 1, both excluded.
        seed: Seeds the choice.

    Returns:
        bool, one a row.

    Raises:
        ValueError: The share is not between 0 and 1.

    >>> rows = validation_rows(["a"] * 10 + ["b"] * 3 + ["c"], 0.2, seed=0)
    >>> [int(part.sum()) for part in np.split(rows, [10, 13])]
    [2, 1, 0]
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    of_label = np.asarray(labels, dtype=object)
    chosen = np.zeros(len(of_label), bool)
    for number, label in enumerate(sorted(set(labels))):
        rows = np.flatnonzero(of_label == label)
        count = min(len(rows) - 1, max(1, round(share * len(rows))))
        order = np.random.default_rng((seed, number)).permutation(rows)
        chosen[order[:count]] = True
    return chosen


_AT_ONCE = 64


@torch.no_grad()
def validated(
    worker: Worker,
    network: FineTunedNetwork,
    features: nn.Module,
    rows: Draw,
    classes: np.ndarray,
) -> tuple[float, torch.Tensor]:
    """Return the summed cross-entropy of all ranks' images, and their confusion matrix.

    Args:
        worker: This rank.
        network: Gives scores to features.
        features: What is trained below them, or nothing.
        rows: This rank's images, or what the frozen part made of them.
        classes: Their classes, int64 (N,).

    Returns:
        The loss, and images by their class and the one told, int64 (C, C).
    """
    count = network.head.out_features
    found = torch.zeros(1 + count * count, dtype=torch.float64, device=worker.device)
    for start in range(0, len(classes), _AT_ONCE):
        wanted = torch.from_numpy(classes[start : start + _AT_ONCE]).to(worker.device)
        scores_NC = network.scores(features(rows(np.arange(start, start + len(wanted)))))
        found[0] += functional.cross_entropy(scores_NC, wanted, reduction="sum")
        cells = wanted * count + scores_NC.argmax(1)
        found[1:] += torch.bincount(cells, minlength=count * count)
    found = worker.reduce(found).cpu()
    return float(found[0]), found[1:].to(torch.int64).view(count, count)


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """How to fine-tune.

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

    dropout: float
    learning_rate: float
    fine_tuning_rate: float
    patience: int
    max_epochs: int
    max_steps: int | None
    batch_size: int
    seed: int
    map_bytes: int
    checkpoint_interval_s: float = 60.0
    checkpoint_steps: int = 20


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
