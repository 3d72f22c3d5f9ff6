"""Dropout whose masks belong to rows, so that the number of workers does not change them."""

import numpy as np


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
