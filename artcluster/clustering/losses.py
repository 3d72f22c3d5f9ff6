"""The two losses of deep clustering. Sums of losses of rows add up across shards and ranks."""

import torch


def kl_divergence(p_NK: torch.Tensor, q_NK: torch.Tensor) -> torch.Tensor:
    """Return KL(P‖Q), summed over clusters and averaged over samples.

    DEC's text writes the sum over samples; its authors and Keras average it, without which the
    weight λ of a composite loss would depend on the batch.

    Args:
        p_NK: Target distribution; terms with p = 0 count as zero.
        q_NK: Soft assignments, positive.

    Returns:
        A scalar, at least 0; 0 only where P = Q. In nats a sample.

    Source:
        Xie et al. 2016, Eq. 2; Castellano and Vessio 2021 (DELIUS), Eq. 4.

    Example:
        >>> p = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
        >>> round(kl_divergence(p, torch.tensor([[0.5, 0.5], [0.5, 0.5]])).item(), 6)
        0.346574
    """
    return kl_divergence_sum(p_NK, q_NK) / p_NK.shape[0]


def kl_divergence_sum(p_NK: torch.Tensor, q_NK: torch.Tensor) -> torch.Tensor:
    """Return KL(P‖Q), summed over clusters and samples.

    Example:
        >>> p = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> round(kl_divergence_sum(p, torch.tensor([[0.5, 0.5], [0.5, 0.5]])).item(), 6)
        1.386294
    """
    return torch.xlogy(p_NK, p_NK).sum() - torch.xlogy(p_NK, q_NK).sum()


def reconstruction_error(reconstruction: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
    """Return the squared error, averaged over all elements.

    DELIUS's Eq. 1 averages over samples alone; Keras's mean squared error, which it used, over
    elements too.

    Args:
        reconstruction: Any shape.
        original: The same shape.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: The shapes differ: broadcasting them would hide a mistake.

    Source:
        Castellano and Vessio 2021 (DELIUS), Eq. 1.

    Example:
        >>> reconstruction_error(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 4.0]])).item()
        2.0
    """
    return squared_error_sum(reconstruction, original) / original.numel()


def squared_error_sum(reconstruction: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
    """Return the squared error, summed over all elements.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> squared_error_sum(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 4.0]])).item()
        4.0
    """
    if reconstruction.shape != original.shape:
        raise ValueError(
            f"expected a reconstruction of the original's shape {tuple(original.shape)}, got "
            f"{tuple(reconstruction.shape)}"
        )
    return (reconstruction - original).square().sum()
