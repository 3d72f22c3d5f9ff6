"""DEC's target distribution, which sharpens soft assignments and evens out the clusters."""

import torch


def soft_frequencies(q_NK: torch.Tensor) -> torch.Tensor:
    """Return the soft cluster frequencies f_k, the sum over points of their memberships.

    Summed in float64: over millions of float32 memberships a float32 sum drifts. Frequencies of
    shards of the data add up to those of the whole.

    Args:
        q_NK: Soft assignments.

    Returns:
        (K,), float64.

    Example:
        >>> soft_frequencies(torch.tensor([[0.75, 0.25], [0.5, 0.5]])).tolist()
        [1.25, 0.75]
    """
    return q_NK.sum(dim=0, dtype=torch.float64)


def target_distribution(
    q_NK: torch.Tensor, frequencies_K: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the target p_ik = (q_ik² / f_k) / Σ_j (q_ij² / f_j).

    Args:
        q_NK: Soft assignments of some or all points.
        frequencies_K: Soft cluster frequencies over the WHOLE data set; by default those of
            `q_NK`, which is right only where it holds every point. Frequencies of a mini-batch
            would define another objective.

    Returns:
        (N, K) of the dtype of `q_NK`, each row summing to one. A cluster that nobody belongs to,
        with frequency zero, gets zero.

    Raises:
        ValueError: `frequencies_K` does not hold one number a cluster.

    Source:
        Xie et al. 2016, Eq. 3; Castellano and Vessio 2021 (DELIUS), Eq. 3.

    Example:
        >>> target_distribution(torch.tensor([[0.75, 0.25], [0.5, 0.5]])).tolist()
        [[0.84375, 0.15625], [0.375, 0.625]]
    """
    if frequencies_K is None:
        frequencies_K = soft_frequencies(q_NK)
    if frequencies_K.shape != q_NK.shape[1:]:
        raise ValueError(
            f"expected one frequency for each of the {q_NK.shape[1]} clusters, got a tensor of "
            f"shape {tuple(frequencies_K.shape)}"
        )
    inverse_K = frequencies_K.reciprocal().nan_to_num(posinf=0.0).to(q_NK.dtype)
    weight_NK = q_NK.square() * inverse_K
    return weight_NK / weight_NK.sum(dim=1, keepdim=True)
