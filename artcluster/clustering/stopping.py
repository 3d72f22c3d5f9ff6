"""When refinement has converged: so few points change cluster that going on is idle."""

import torch


def changed_labels(previous_N: torch.Tensor, current_N: torch.Tensor) -> torch.Tensor:
    """Count the points whose cluster changed. Counts of shards add up to that of the whole.

    Args:
        previous_N: Integer labels at the last refresh.
        current_N: Integer labels now, of the same points in the same order.

    Returns:
        A scalar, int64.

    Raises:
        ValueError: The lengths differ.

    Example:
        >>> changed_labels(torch.tensor([0, 1, 2]), torch.tensor([0, 2, 1])).item()
        2
    """
    if previous_N.shape != current_N.shape:
        raise ValueError(
            "expected labels of the same points, got shapes "
            f"{tuple(previous_N.shape)} and {tuple(current_N.shape)}"
        )
    return (previous_N != current_N).sum()


def label_change(previous_N: torch.Tensor, current_N: torch.Tensor) -> float:
    """Return the fraction of points whose cluster changed, 0 to 1; 0 for no points.

    Source:
        Castellano and Vessio 2021 (DELIUS), §3.3: "the change in cluster assignments between two
        consecutive updates"; as a fraction of all points in the DEC authors' code.

    Example:
        >>> label_change(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 2, 2, 2]))
        0.25
    """
    return changed_labels(previous_N, current_N).item() / max(1, previous_N.numel())


def converged(change: float, tolerance: float) -> bool:
    """Tell whether the label change is below the tolerance δ; with δ = 0 it never is.

    Example:
        >>> converged(0.0009, 0.001), converged(0.001, 0.001), converged(0.0, 0.0)
        (True, False, False)
    """
    return change < tolerance
