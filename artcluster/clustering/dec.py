"""The two losses of deep clustering. Sums of losses of rows add up across shards and ranks."""

import torch


def soft_assignment(
    z_ND: torch.Tensor, centroids_KD: torch.Tensor, alpha: float = 1.0
) -> torch.Tensor:
    """Return the probability that each point belongs to each cluster.

    Distances are summed coordinate by coordinate rather than expanded into a matrix product, which
    would cancel most digits of a short distance between long vectors.

    Args:
        z_ND: Embedded points, floating.
        centroids_KD: Centroids, of the points' dtype and device.
        alpha: Degrees of freedom of the Student t distribution, above zero.

    Returns:
        (N, K), each row positive and summing to one.

    Raises:
        ValueError: The shapes do not fit, or `alpha` is not positive.

    Source:
        Xie et al. 2016, "Unsupervised deep embedding for clustering analysis", Eq. 1; Castellano
        and Vessio 2021 (DELIUS), Eq. 2, where alpha = 1.

    Example:
        >>> z = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
        >>> q = soft_assignment(z, torch.tensor([[0.0], [3.0]], dtype=torch.float64))
        >>> q.mul(110).round().tolist()
        [[100.0, 10.0], [31.0, 79.0]]
    """
    if z_ND.ndim != 2 or centroids_KD.ndim != 2 or z_ND.shape[1] != centroids_KD.shape[1]:
        raise ValueError(
            "expected points (N, D) and centroids (K, D) of one dimension D, got "
            f"{tuple(z_ND.shape)} and {tuple(centroids_KD.shape)}"
        )
    if alpha <= 0:
        raise ValueError(f"alpha must be above 0, got {alpha}")
    squared_NK = (z_ND[:, None, :] - centroids_KD[None, :, :]).square().sum(dim=2)
    kernel_NK = (1.0 + squared_NK / alpha).reciprocal()
    if alpha != 1.0:
        kernel_NK = kernel_NK.pow((alpha + 1.0) / 2.0)
    return kernel_NK / kernel_NK.sum(dim=1, keepdim=True)


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


def kl_divergence_sum(p_NK: torch.Tensor, q_NK: torch.Tensor) -> torch.Tensor:
    """Return KL(P‖Q), summed over clusters and samples, in nats.

    DEC's text writes the sum over samples; its authors and Keras average it, without which the
    weight λ of a composite loss would depend on the batch.

    Args:
        p_NK: Target distribution; terms with p = 0 count as zero.
        q_NK: Soft assignments, positive.

    Source:
        Xie et al. 2016, Eq. 2; Castellano and Vessio 2021 (DELIUS), Eq. 4.

    Example:
        >>> p = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> round(kl_divergence_sum(p, torch.tensor([[0.5, 0.5], [0.5, 0.5]])).item(), 6)
        1.386294
    """
    return torch.xlogy(p_NK, p_NK).sum() - torch.xlogy(p_NK, q_NK).sum()


def squared_error_sum(reconstruction: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
    """Return the squared error, summed over all elements.

    DELIUS's Eq. 1 averages it over samples alone; Keras's mean squared error, which it used, over
    elements, too.

    Raises:
        ValueError: The shapes differ: broadcasting them would hide a mistake.

    Source:
        Castellano and Vessio 2021 (DELIUS), Eq. 1.

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
