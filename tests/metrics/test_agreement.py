"""Accuracy, NMI and ARI against hand-worked values, scikit-learn and brute force."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from artcluster.metrics.agreement import (
    adjusted_rand_index,
    cluster_sizes,
    clustering_accuracy,
    contingency,
    label_agreement,
    non_empty_clusters,
    normalised_mutual_information,
)

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@settings(max_examples=40)
@given(pairs)
def test_equal_sklearn(rows: list[tuple[int, int]]) -> None:
    labels, truth = np.array(rows).T
    table = contingency(labels, truth)
    assert normalised_mutual_information(table) == pytest.approx(
        normalized_mutual_info_score(truth, labels), abs=1e-9
    )
    assert adjusted_rand_index(table) == pytest.approx(adjusted_rand_score(truth, labels))


@settings(max_examples=40)
@given(pairs)
def test_accuracy_is_the_best_of_all_mappings(rows: list[tuple[int, int]]) -> None:
    labels, truth = np.array(rows).T
    best = max(
        sum(mapping[label] == true for label, true in rows) / len(rows)
        for mapping in permutations(range(5))
    )
    accuracy, mapping = clustering_accuracy(labels, truth)
    assert accuracy == pytest.approx(best)
    hits = sum(mapping.get(label) == true for label, true in rows)
    assert hits / len(rows) == pytest.approx(accuracy)
    assert len(set(mapping.values())) == len(mapping)


@given(pairs, st.permutations(range(5)))
def test_names_of_clusters_do_not_matter(rows: list[tuple[int, int]], names: list[int]) -> None:
    labels, truth = np.array(rows).T
    one = label_agreement(labels, truth.tolist())
    other = label_agreement(np.array(names)[labels], truth.tolist())
    assert (one.accuracy, one.non_empty) == (other.accuracy, other.non_empty)
    assert (one.nmi, one.ari) == pytest.approx((other.nmi, other.ari))


def test_hand_worked() -> None:
    found = label_agreement(np.array([0, 0, 0, 1, 1]), ["a", "a", "b", "b", "b"])
    assert found.accuracy == 0.8
    # Pairs together in both: 1 + 1; in clusters 3 + 1, in labels 1 + 3, of 10.
    assert found.ari == pytest.approx((2 - 4 * 4 / 10) / (4 - 4 * 4 / 10))
    assert found.mapping == {0: "a", 1: "b"}


def test_collapse_shows_in_nmi_and_clusters() -> None:
    found = label_agreement(np.zeros(10, dtype=int), ["a"] * 7 + ["b"] * 3)
    assert (found.accuracy, found.nmi, found.ari, found.non_empty) == (0.7, 0.0, 0.0, 1)


def test_missing_labels_are_left_out() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    found = label_agreement(labels, ["a", None, "b", float("nan"), None, None])
    assert (found.labelled_count, found.non_empty, found.accuracy) == (2, 2, 1.0)
    nothing = label_agreement(labels, [None] * 6)
    assert nothing.labelled_count == 0
    assert np.isnan([nothing.accuracy, nothing.nmi, nothing.ari]).all()


def test_noise_is_never_right() -> None:
    found = label_agreement(np.array([-1, -1, -1, 0]), ["a", "a", "a", "b"])
    assert (found.accuracy, found.non_empty, found.mapping) == (0.25, 1, {0: "b"})
    only_noise = label_agreement(np.array([-1, -1]), ["a", "b"])
    assert (only_noise.accuracy, only_noise.mapping) == (0.0, {})


def test_pair_counts_do_not_overflow() -> None:
    # 4 × 10¹⁰ pairs squared exceed int64.
    table = np.array([[200_000, 1_000], [1_000, 200_000]])
    labels = np.repeat([0, 0, 1, 1], table.ravel())
    truth = np.repeat([0, 1, 0, 1], table.ravel())
    assert adjusted_rand_index(table) == pytest.approx(adjusted_rand_score(truth, labels))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="got 3 for 2"):
        label_agreement(np.array([0, 1]), ["a", "b", "c"])
    with pytest.raises(ValueError, match="one length"):
        contingency(np.array([0, 1]), np.array([0]))


def test_sizes() -> None:
    labels = np.array([0, 2, 2, -1])
    assert cluster_sizes(labels, 4).tolist() == [1, 0, 2, 0]
    assert non_empty_clusters(labels) == 2
    assert cluster_sizes(np.array([], dtype=int), 2).tolist() == [0, 0]
    with pytest.raises(ValueError, match="-1 … 1 for k=2"):
        cluster_sizes(labels, 2)
