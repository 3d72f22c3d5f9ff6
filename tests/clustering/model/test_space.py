"""The space of directions: scikit-learn's PCA of unit-length vectors, at length one."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from artcluster.clustering.model.space import principal_space, space_from_parts, space_to_parts


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return load_digits().data[:300].astype(np.float32)


def test_distances_are_those_of_a_full_decomposition(x: np.ndarray) -> None:
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = PCA(10, svd_solver="full").fit_transform(unit.astype(np.float64))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = principal_space(x, 10)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-4)


def test_scale_and_what_all_have_in_common_count_for_nothing(x: np.ndarray) -> None:
    z = principal_space(x, 10)(torch.from_numpy(x))
    scaled = x * np.random.default_rng(0).uniform(0.5, 2, (len(x), 1)).astype(np.float32)
    np.testing.assert_allclose(principal_space(scaled, 10)(torch.from_numpy(scaled)), z, atol=1e-3)


def test_no_more_components_than_there_are(x: np.ndarray) -> None:
    assert principal_space(x[:5], 32).out_dim == 4
    assert principal_space(x[:, :3] + 1, 32).out_dim == 3
    with pytest.raises(ValueError, match="one way"):
        principal_space(np.ones((4, 3), np.float32), 2)
    with pytest.raises(ValueError, match="at least two"):
        principal_space(x[:1], 2)


def test_it_is_written_and_read(x: np.ndarray) -> None:
    space = principal_space(x, 6)
    again = space_from_parts(*space_to_parts(space))
    np.testing.assert_array_equal(again(torch.from_numpy(x)), space(torch.from_numpy(x)))
