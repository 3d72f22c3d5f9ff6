"""Student-t soft assignment of points to centroids."""

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
