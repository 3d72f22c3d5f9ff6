"""When to stop because the validation loss no longer falls."""

import math


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
