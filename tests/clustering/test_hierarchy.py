"""Merging weighted points: SciPy's trees, and those of the points that the weights stand for."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score

from artcluster.clustering.hierarchy import agglomerate, cut, top_merges

LINKAGES = ("average", "ward")


def points(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4))


@pytest.mark.parametrize("how", LINKAGES)
@pytest.mark.parametrize("seed", range(5))
def test_points_of_one_weight_are_merged_as_scipy_does(how: str, seed: int) -> None:
    x = points(70, seed)
    tree = agglomerate(squareform(pdist(x)), np.ones(70), how)  # type: ignore[arg-type]
    expected = linkage(x, how)
    np.testing.assert_array_equal(tree.merges_M2, np.sort(expected[:, :2], axis=1))
    np.testing.assert_allclose(tree.heights_M, expected[:, 2])
    np.testing.assert_array_equal(tree.sizes_M, expected[:, 3])


@pytest.mark.parametrize("how", LINKAGES)
def test_a_weight_stands_for_points_in_one_place(how: str) -> None:
    x = points(50, 9)
    weights = np.random.default_rng(1).integers(1, 5, 50)
    tree = agglomerate(squareform(pdist(x)), weights, how)  # type: ignore[arg-type]
    expected = linkage(np.repeat(x, weights, axis=0), how)
    np.testing.assert_allclose(tree.heights_M, expected[-49:, 2])
    for k in (2, 7, 30):
        ours = np.repeat(cut(tree, k), weights)
        assert adjusted_rand_score(ours, fcluster(expected, k, "maxclust")) == 1


def test_cuts_are_nested_and_hold_k_groups() -> None:
    tree = agglomerate(squareform(pdist(points(40))), np.ones(40), "ward")
    finer = cut(tree, 40)
    assert finer.tolist() == list(range(40))
    for k in range(39, 0, -1):
        coarser = cut(tree, k)
        assert set(coarser) == set(range(k))
        assert len({*zip(finer.tolist(), coarser.tolist(), strict=True)}) == k + 1
        finer = coarser


def test_the_top_of_a_tree_says_which_groups_merge() -> None:
    tree = agglomerate(squareform(pdist(points(30))), np.ones(30), "average")
    groups = cut(tree, 6)
    for left, (low, high, height) in zip(range(5, 0, -1), top_merges(tree, 6), strict=True):
        groups = np.where(groups == high, low, groups)
        assert adjusted_rand_score(groups, cut(tree, left)) == 1
        assert height == tree.heights_M[-left]


def test_equal_distances_are_no_trouble() -> None:
    together = np.repeat(np.arange(4), 5)
    far = (together[:, None] != together[None, :]).astype(float)
    assert cut(agglomerate(far, np.ones(20), "average"), 4).tolist() == together.tolist()


@pytest.mark.parametrize(
    ("far", "sizes", "words"),
    [
        (np.zeros((2, 3)), np.ones(2), "square matrix"),
        (np.full((2, 2), np.nan), np.ones(2), "finite"),
        (np.zeros((2, 2)), np.array([1, 0]), "above 0"),
    ],
)
def test_what_cannot_be_merged(far: np.ndarray, sizes: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        agglomerate(far, sizes, "average")
    with pytest.raises(ValueError, match=r"1 … 2"):
        cut(agglomerate(np.zeros((2, 2)), np.ones(2), "ward"), 3)
