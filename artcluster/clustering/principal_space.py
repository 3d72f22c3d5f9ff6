"""The space of directions: unit-length vectors on their principal components, at length one."""

import numpy as np
import torch

from artcluster.clustering.model_space import Dense, ModelSpace, UnitLength
from artcluster.clustering.row_chunks import row_chunks

_ROWS = 16384


def principal_space(x_ND: np.ndarray, components: int) -> ModelSpace:
    """Return the way from vectors to their centred directions, on at most so many components.

    Vectors are scaled to length one, centred, projected, and scaled to length one again: what two
    vectors have in common with all the others counts for nothing, and a distance between two of
    them is one of directions. Passed over in chunks, beside which memory is D² numbers.

    Args:
        x_ND: Vectors, finite.
        components: Most principal components; fewer where N or D are not larger, none being of no
            variance.

    Raises:
        ValueError: There are fewer than two vectors, or all point one way.

    >>> x = np.array([[3.0, 0.0, 1.0], [0.0, 2.0, 1.0], [5.0, 0.0, 1.0]], np.float32)
    >>> space = principal_space(x, 2)
    >>> z = space(torch.from_numpy(x))
    >>> z.shape, [round(length, 6) for length in z.norm(dim=1).tolist()]
    (torch.Size([3, 2]), [1.0, 1.0, 1.0])
    """
    count, dim = x_ND.shape
    if count < 2:
        raise ValueError(f"expected at least two vectors, got {count}")
    unit = UnitLength()
    total_D = torch.zeros(dim, dtype=torch.float64)
    for a, b in row_chunks(count, _ROWS):
        total_D += unit(torch.from_numpy(np.array(x_ND[a:b], np.float32))).double().sum(0)
    mean_D = total_D / count
    scatter_DD = torch.zeros(dim, dim, dtype=torch.float64)
    for a, b in row_chunks(count, _ROWS):
        offset = unit(torch.from_numpy(np.array(x_ND[a:b], np.float32))).double() - mean_D
        scatter_DD.addmm_(offset.T, offset)
    variance_D, axes_DD = torch.linalg.eigh(scatter_DD / count)
    kept = int((variance_D > 1e-10 * variance_D[-1].clamp(min=1e-12)).sum())
    if not kept:
        raise ValueError("all vectors point one way: there is nothing to tell them apart by")
    axes_CD = axes_DD.flip(1)[:, : min(components, kept)].T
    # An axis has two directions: that of its largest number is taken.
    largest_C = axes_CD.gather(1, axes_CD.abs().argmax(1, keepdim=True))
    axes_CD = axes_CD * largest_C.sign()
    layer = (axes_CD.float().contiguous(), (-(axes_CD @ mean_D)).float())
    return ModelSpace(dim, (unit, Dense((layer,)), unit))
