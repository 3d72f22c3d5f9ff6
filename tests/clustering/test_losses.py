import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artcluster.clustering.dec import (
    kl_divergence_sum,
    soft_assignment,
    squared_error_sum,
)
from tests.reference import dec_numpy


def test_kl_hand_worked() -> None:
    """ln 2 for the first sample; ½ ln ½/¼ + ½ ln ½/¾ = ½ ln 4/3 for the second; their sum."""
    p = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    q = torch.tensor([[0.5, 0.5], [0.25, 0.75]], dtype=torch.float64)
    expected = np.log(2) + 0.5 * np.log(4 / 3)
    assert kl_divergence_sum(p, q).item() == pytest.approx(expected, rel=1e-14)


@given(seed=st.integers(0, 999), rows=st.integers(1, 20), clusters=st.integers(1, 8))
def test_kl_properties(seed: int, rows: int, clusters: int) -> None:
    generator = np.random.default_rng(seed)
    p = torch.from_numpy(generator.dirichlet(np.ones(clusters), size=rows))
    q = torch.from_numpy(generator.dirichlet(np.ones(clusters), size=rows)).clamp_min(1e-12)
    q = q / q.sum(dim=1, keepdim=True)
    assert kl_divergence_sum(p, q) >= -1e-12
    assert kl_divergence_sum(q, q).item() == pytest.approx(0.0, abs=1e-12)
    cut = rows // 2
    parts = kl_divergence_sum(p[:cut], q[:cut]) + kl_divergence_sum(p[cut:], q[cut:])
    torch.testing.assert_close(parts, kl_divergence_sum(p, q))


def test_kl_gradients_are_the_papers() -> None:
    """Autograd, the paper's Eqs. 4 and 5 and finite differences agree."""
    generator = np.random.default_rng(3)
    z = generator.normal(size=(6, 3))
    centroids = generator.normal(size=(4, 3))
    p = generator.dirichlet(np.ones(4), size=6)
    z_t = torch.tensor(z, requires_grad=True)
    centroids_t = torch.tensor(centroids, requires_grad=True)
    mean = kl_divergence_sum(torch.from_numpy(p), soft_assignment(z_t, centroids_t)) / len(p)
    mean.backward()
    q = dec_numpy.soft_assignment(z, centroids)
    by_point, by_centroid = dec_numpy.kl_gradients(p, q, z, centroids)
    np.testing.assert_allclose(z_t.grad, by_point, rtol=1e-10)
    np.testing.assert_allclose(centroids_t.grad, by_centroid, rtol=1e-10)
    step = 1e-6
    for array, gradient in ((z, by_point), (centroids, by_centroid)):
        for place in np.ndindex(*array.shape):
            held = array[place]
            losses = []
            for moved in (held + step, held - step):
                array[place] = moved
                losses.append(dec_numpy.kl_divergence(p, dec_numpy.soft_assignment(z, centroids)))
            array[place] = held
            slope = (losses[0] - losses[1]) / (2 * step)
            assert slope == pytest.approx(gradient[place], abs=1e-8)


def test_reconstruction_hand_worked() -> None:
    """Squares 1, 4, 0 and 9."""
    reconstruction = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    original = torch.tensor([[0.0, 0.0], [3.0, 3.0]])
    assert squared_error_sum(reconstruction, original).item() == 14.0


def test_broadcasting_is_refused() -> None:
    with pytest.raises(ValueError, match="original's shape"):
        squared_error_sum(torch.zeros(3, 1), torch.zeros(3, 2))
