"""Lift and keyness by hand, and what smoothing does to small counts."""

import numpy as np
import pytest

from artcluster.metrics.over_representation import class_tf_idf, keyness, smoothed_lift

COUNTS = np.array([[8, 2, 0], [2, 18, 10]])


def test_lift_without_smoothing_is_a_ratio_of_shares() -> None:
    lift = smoothed_lift(COUNTS, pseudo_count=0)
    np.testing.assert_allclose(lift[0], [0.8 / 0.25, 0.2 / 0.5, 0.0])
    assert lift[1, 1] == pytest.approx((18 / 30) / (20 / 40))


def test_smoothing_draws_few_images_to_one() -> None:
    small, large = np.array([[1, 0], [99, 100]]), np.array([[100, 0], [9900, 10_000]])
    assert 1 < smoothed_lift(small)[0, 0] < smoothed_lift(large)[0, 0] < 2.05
    np.testing.assert_array_equal(smoothed_lift(np.zeros((2, 3))), np.ones((2, 3)))


def test_keyness_sums_up_to_a_divergence() -> None:
    inside, everywhere = np.array([0.8, 0.2]), np.array([10, 20, 10]) / 40
    expected = (inside * np.log2(inside / everywhere[:2])).sum()
    assert keyness(COUNTS, pseudo_count=0)[0].sum() == pytest.approx(expected)


def test_words_of_all_clusters_weigh_less() -> None:
    weights = class_tf_idf(np.array([[5, 5], [5, 0]]))
    assert weights[0, 1] > weights[0, 0] > 0
    assert weights[1, 1] == 0
