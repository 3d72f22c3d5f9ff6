"""Co-association: the naive count of pairs, and cells as the mean over their points."""

import numpy as np
import pytest

from artcluster.clustering.consensus import co_association


def naive(members: list[np.ndarray]) -> np.ndarray:
    count = len(members[0])
    total = np.zeros((count, count))
    for labels in members:
        for one in range(count):
            for other in range(count):
                total[one, other] += labels[one] == labels[other]
    return total / len(members)


def members(count: int = 30) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, k, count) for k in (2, 3, 5, 7)]


def test_cells_of_one_point_are_the_naive_count() -> None:
    found = co_association(members(), np.arange(30))
    np.testing.assert_allclose(found, naive(members()), atol=1e-6)


def test_cells_are_means_over_their_points() -> None:
    cells = np.random.default_rng(1).permutation(np.repeat(np.arange(6), 5))
    found = co_association(members(), cells)
    exact = naive(members())
    for one in range(6):
        for other in range(6):
            block = exact[np.ix_(cells == one, cells == other)]
            assert found[one, other] == pytest.approx(block.mean(), abs=1e-6)


def test_renaming_clusters_changes_nothing() -> None:
    renamed = [labels.max() - labels for labels in members()]
    cells = np.arange(30) // 2
    np.testing.assert_allclose(
        co_association(members(), cells), co_association(renamed, cells), atol=1e-6
    )


@pytest.mark.parametrize(
    ("given", "cells", "words"),
    [
        ([], np.arange(3), "at least one"),
        ([np.zeros(2, int)], np.arange(3), "a cluster a point"),
        ([np.zeros(3, int)], np.array([0, 0, 2]), "cell 1"),
    ],
)
def test_what_does_not_fit(given: list[np.ndarray], cells: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        co_association(given, cells)
