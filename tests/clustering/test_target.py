import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artcluster.clustering.dec import soft_frequencies, target_distribution
from tests.reference import dec_numpy


def memberships(rows: int, clusters: int, seed: int) -> torch.Tensor:
    q = np.random.default_rng(seed).dirichlet(np.ones(clusters), size=rows)
    return torch.from_numpy(q)


def test_hand_worked() -> None:
    """f = (1.5, 0.5); row 1: 1/1.5 and 0; row 2: (1/4)/1.5 = 1/6 and (1/4)/0.5 = 1/2."""
    q = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    assert soft_frequencies(q).tolist() == [1.5, 0.5]
    expected = torch.tensor([[1.0, 0.0], [0.25, 0.75]], dtype=torch.float64)
    torch.testing.assert_close(target_distribution(q), expected)


sizes = {"rows": st.integers(1, 40), "clusters": st.integers(1, 9), "seed": st.integers(0, 999)}


@given(**sizes)
def test_properties(rows: int, clusters: int, seed: int) -> None:
    q = memberships(rows, clusters, seed)
    p = target_distribution(q)
    torch.testing.assert_close(p.sum(dim=1), torch.ones(rows, dtype=torch.float64))
    np.testing.assert_allclose(p, dec_numpy.target_distribution(q.numpy()), rtol=1e-12)
    order = np.random.default_rng(seed).permutation(clusters)
    torch.testing.assert_close(target_distribution(q[:, order]), p[:, order])


@given(**sizes, shards=st.integers(1, 6))
def test_shards_merged_equal_the_whole(rows: int, clusters: int, seed: int, shards: int) -> None:
    q = memberships(rows, clusters, seed)
    parts = torch.tensor_split(q, shards)
    frequencies = torch.stack([soft_frequencies(part) for part in parts]).sum(dim=0)
    merged = torch.cat([target_distribution(part, frequencies) for part in parts])
    torch.testing.assert_close(merged, target_distribution(q))


def test_a_batchs_own_frequencies_are_another_objective() -> None:
    q = memberships(40, 3, 0)
    alone = target_distribution(q[:10])
    assert (alone - target_distribution(q)[:10]).abs().max() > 0.01


def test_confident_rows_get_more_confident() -> None:
    q = torch.tensor([[0.8, 0.2], [0.2, 0.8]])
    assert target_distribution(q)[0, 0] > 0.8


def test_an_empty_cluster_gets_nothing() -> None:
    q = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])
    p = target_distribution(q)
    assert p[:, 2].tolist() == [0.0, 0.0]
    assert p.isfinite().all()


def test_frequencies_of_other_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="each of the 3 clusters"):
        target_distribution(memberships(4, 3, 0), torch.ones(2))
