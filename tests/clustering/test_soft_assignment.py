import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from artcluster.clustering.dec import soft_assignment
from tests.reference import dec_numpy


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_hand_worked() -> None:
    """Squared distances 0, 1 and 3, 4: kernels 1, 1/2 and 1/4, 1/5."""
    z = tensor([[0.0, 0.0], [1.0, np.sqrt(2.0)]])
    centroids = tensor([[0.0, 0.0], [1.0, 0.0]])
    expected = tensor([[2 / 3, 1 / 3], [(1 / 4) / (7 / 12), (1 / 3) / (7 / 12)]])
    torch.testing.assert_close(soft_assignment(z, centroids), expected)


def test_hand_worked_with_three_degrees_of_freedom() -> None:
    """Squared distances 0 and 3: (1 + 0)^-2 and (1 + 1)^-2, or 1 and 1/4."""
    q = soft_assignment(tensor([[0.0]]), tensor([[0.0], [np.sqrt(3.0)]]), alpha=3.0)
    torch.testing.assert_close(q, tensor([[0.8, 0.2]]))


coordinates = st.floats(-50, 50, width=32)
matrices = hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(3)), elements=coordinates)


@given(z=matrices, centroids=matrices, seed=st.integers(0, 99))
def test_properties(z: np.ndarray, centroids: np.ndarray, seed: int) -> None:
    q = soft_assignment(torch.from_numpy(z), torch.from_numpy(centroids))
    assert (q > 0).all()
    torch.testing.assert_close(q.sum(dim=1), torch.ones(len(z), dtype=torch.float64))
    np.testing.assert_allclose(q, dec_numpy.soft_assignment(z, centroids), rtol=1e-12)
    order = np.random.default_rng(seed).permutation(len(centroids))
    permuted = soft_assignment(torch.from_numpy(z), torch.from_numpy(centroids[order]))
    torch.testing.assert_close(permuted, q[:, order])


def test_the_nearest_centroid_has_the_most() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(200, 5, generator=generator, dtype=torch.float64)
    centroids = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    nearest = torch.cdist(z, centroids).argmin(dim=1)
    assert torch.equal(soft_assignment(z, centroids).argmax(dim=1), nearest)


def test_float32_far_from_the_origin_keeps_its_digits() -> None:
    centroids = torch.tensor([[3000.0, 3000.0], [3000.0, 3001.0]])
    q = soft_assignment(torch.tensor([[3000.0, 3000.25]]), centroids)
    exact = torch.tensor([[(1 / 1.0625) / (1 / 1.0625 + 1 / 1.5625)]])
    torch.testing.assert_close(q[:, :1], exact, rtol=1e-6, atol=0)


def test_shapes_and_alpha_are_checked() -> None:
    with pytest.raises(ValueError, match="one dimension D"):
        soft_assignment(torch.zeros(3, 2), torch.zeros(3, 4))
    with pytest.raises(ValueError, match="alpha must be above 0"):
        soft_assignment(torch.zeros(3, 2), torch.zeros(3, 2), alpha=0.0)
