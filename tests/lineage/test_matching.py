"""Matching and numbering: by hand, and against every assignment there is."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artcluster.lineage.matching import (
    Overlap,
    best_kept_share,
    match_clusters,
    overlap,
    stable_numbers,
)

labels = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=40).map(
    np.array
)


def best_by_trying_all(gain_AB: np.ndarray) -> int:
    """Sum of the best one-to-one assignment, found by trying every one."""
    rows, columns = gain_AB.shape
    square = np.zeros((max(rows, columns),) * 2, dtype=np.int64)
    square[:rows, :columns] = gain_AB
    return max(
        sum(int(square[row, column]) for row, column in enumerate(order))
        for order in permutations(range(len(square)))
    )


@given(labels, st.sampled_from([0.01, 0.25, 0.5, 1.0]))
def test_the_match_is_the_best_of_all_assignments(pairs: np.ndarray, least: float) -> None:
    found = overlap(pairs[:, 0], pairs[:, 1])
    allowed_AB = np.where(found.jaccard_AB >= least, found.shared_AB, 0)
    matched = match_clusters(found, least)
    assert len(set(matched.values())) == len(matched)
    row = {number: place for place, number in enumerate(found.old_A.tolist())}
    column = {number: place for place, number in enumerate(found.new_B.tolist())}
    gains = [int(allowed_AB[row[old], column[new]]) for old, new in matched.items()]
    assert all(gains)
    assert sum(gains) == best_by_trying_all(allowed_AB)
    if len(found.old_A):
        best = best_by_trying_all(found.shared_AB) / found.old_sizes_A.sum()
        assert best_kept_share(found) == pytest.approx(best)


@given(labels)
def test_overlaps_count_every_pair(pairs: np.ndarray) -> None:
    found = overlap(pairs[:, 0], pairs[:, 1], old_clusters=np.array([0, 9]))
    assert 9 in found.old_A
    assert -1 not in found.old_A
    assert -1 not in found.new_B
    for a, old in enumerate(found.old_A):
        assert found.old_sizes_A[a] == (pairs[:, 0] == old).sum()
        for b, new in enumerate(found.new_B):
            both = (pairs[:, 0] == old) & (pairs[:, 1] == new)
            assert found.shared_AB[a, b] == both.sum()


def table(shared: list[list[int]]) -> Overlap:
    shared_AB = np.array(shared)
    return Overlap(
        np.arange(len(shared_AB)),
        np.arange(shared_AB.shape[1]),
        shared_AB,
        shared_AB.sum(1),
        shared_AB.sum(0),
    )


def test_the_sum_counts_and_not_the_largest_single_pair() -> None:
    """Greedy would take 0 → 0 (60) and leave 1 with nothing; the best sum is 50 + 55."""
    found = table([[60, 50], [55, 0]])
    assert match_clusters(found) == {0: 1, 1: 0}


def test_a_small_offshoot_does_not_take_the_number() -> None:
    """Most of 0 went into new 0, which continues 1: what is left of it is another cluster."""
    found = table([[600, 40], [650, 0]])
    assert match_clusters(found) == {1: 0}
    assert match_clusters(found, min_jaccard=0.03) == {0: 1, 1: 0}


def test_one_of_four_equal_parts_goes_on_and_one_of_five_does_not() -> None:
    assert len(match_clusters(table([[25, 25, 25, 25]]))) == 1
    assert match_clusters(table([[20, 20, 20, 20, 20]])) == {}


def test_numbers_of_the_dead_never_come_back() -> None:
    numbers = stable_numbers(np.array([5, 5, 9]), {3: 1}, next_number=8)
    assert numbers.tolist() == [9, 3, 8]
    with pytest.raises(ValueError, match="next_number = 3"):
        stable_numbers(np.array([5]), {3: 0}, next_number=3)
    with pytest.raises(ValueError, match="a place of its own"):
        stable_numbers(np.array([5]), {3: 0, 4: 0}, next_number=9)


def test_no_common_point() -> None:
    found = overlap(np.empty(0, int), np.empty(0, int), old_clusters=np.array([0, 1]))
    assert match_clusters(found) == {}
    assert np.isnan(best_kept_share(found))
