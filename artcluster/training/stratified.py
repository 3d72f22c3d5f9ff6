"""A stratified part of a data set, to validate on."""

from collections.abc import Sequence

import numpy as np


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
