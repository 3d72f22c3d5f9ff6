"""One phase of fine-tuning: its best epoch so far, and what a checkpoint keeps of it."""

import torch

from artcluster.training.checkpoints import State
from artcluster.training.early_stopping import EarlyStopping


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
