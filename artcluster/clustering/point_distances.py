"""Squared distances between points, in float64."""

import torch
from torch import Tensor


def squared_distances(z_ND: Tensor, points_PD: Tensor) -> Tensor:
    """Return squared distances in float64, as `membership` computes them."""
    z, points = z_ND.double(), points_PD.double()
    found = torch.addmm(torch.linalg.vecdot(points, points)[None, :], z, points.T, alpha=-2)
    return found.add_(torch.linalg.vecdot(z, z)[:, None]).clamp_(min=0)
