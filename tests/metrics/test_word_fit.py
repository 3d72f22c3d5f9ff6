"""Words for clusters, by hand-worked vectors and against loops."""

import math

import numpy as np

from artcluster.metrics.over_representation import word_fit


def test_by_hand() -> None:
    # Cosines 1 and 0 for the one cluster, 0.6 and 0.8 for the other.
    fit = word_fit(np.array([[2.0, 0.0], [3.0, 4.0]]), np.eye(2), scale=1.0)
    np.testing.assert_allclose(fit.cosine_CW, [[1, 0], [0.6, 0.8]])
    first = math.e / (math.e + 1)
    second = math.exp(0.6) / (math.exp(0.6) + math.exp(0.8))
    np.testing.assert_allclose(fit.probability_CW[:, 0], [first, second])
    lift = (first + 0.001) / (second + 0.001)
    np.testing.assert_allclose(fit.lift_CW[0, 0], lift)
    np.testing.assert_allclose(fit.keyness_CW[0, 0], first * math.log2(lift))


def test_what_fits_every_cluster_names_none() -> None:
    """The third word is the nearest to both, and says nothing of either."""
    words = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    means = np.array([[0.5, 0.1, 0.7], [0.1, 0.5, 0.7]])
    fit = word_fit(means, words, scale=5.0)
    assert fit.cosine_CW.argmax(axis=1).tolist() == [2, 2]
    assert fit.keyness_CW.argmax(axis=1).tolist() == [0, 1]


def test_against_a_loop_in_any_order_of_clusters() -> None:
    generator = np.random.default_rng(0)
    means, words = generator.normal(size=(4, 6)), generator.normal(size=(9, 6))
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    fit = word_fit(means, words, scale=20.0)
    for cluster in range(4):
        cosines = [float(means[cluster] @ w / np.linalg.norm(means[cluster])) for w in words]
        total = sum(math.exp(20 * each) for each in cosines)
        others = [fit.probability_CW[each] for each in range(4) if each != cluster]
        for place, cosine in enumerate(cosines):
            probability = math.exp(20 * cosine) / total
            mean = sum(each[place] for each in others) / 3
            lift = (probability + 0.001) / (mean + 0.001)
            np.testing.assert_allclose(fit.probability_CW[cluster, place], probability)
            np.testing.assert_allclose(fit.lift_CW[cluster, place], lift)
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(
        word_fit(means[order], words, 20.0).keyness_CW, fit.keyness_CW[order]
    )


def test_one_cluster_has_no_others() -> None:
    fit = word_fit(np.array([[1.0, 0.0]]), np.eye(2), scale=3.0)
    assert (fit.lift_CW == 1).all()
    assert (fit.keyness_CW == 0).all()
