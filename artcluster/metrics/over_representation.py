"""Which values are over-represented in which cluster, from counts alone."""

import numpy as np


def smoothed_lift(counts_CV: np.ndarray, pseudo_count: float = 5.0) -> np.ndarray:
    """Return how many times likelier a value is in a cluster than everywhere.

    lift = ((n_cv + a · p_v) / (n_c + a)) / p_v, where p_v is the value's share of all: `a` made-up
    images that are like the whole draw the lift of few images towards 1.

    Args:
        counts_CV: Images of cluster C that have value V; at most one value an image.
        pseudo_count: a, of made-up images a cluster.

    Returns:
        float64 (C, V); 1 where nothing is known.

    >>> smoothed_lift(np.array([[30, 0], [0, 30]]), pseudo_count=0.0)
    array([[2., 0.],
           [0., 2.]])
    """
    counts_CV = np.asarray(counts_CV, np.float64)
    total = counts_CV.sum()
    if not total:
        return np.ones(counts_CV.shape)
    share_V = counts_CV.sum(0) / total
    size_C1 = counts_CV.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside_CV = (counts_CV + pseudo_count * share_V) / (size_C1 + pseudo_count)
        lift_CV = inside_CV / share_V
    return np.where(np.isfinite(lift_CV), lift_CV, 1.0)


def keyness(counts_CV: np.ndarray, pseudo_count: float = 5.0) -> np.ndarray:
    """Return how telling a value is for a cluster: its share of the cluster times log₂ lift.

    A value's part of the Kullback-Leibler divergence between cluster and whole: rare values of
    great lift and frequent ones of little lift both rank low.

    Args:
        counts_CV: As `smoothed_lift`.
        pseudo_count: As `smoothed_lift`.

    Returns:
        float64 (C, V), in bits.

    >>> keyness(np.array([[30, 0], [0, 30]]), pseudo_count=0.0)
    array([[1., 0.],
           [0., 1.]])
    """
    counts_CV = np.asarray(counts_CV, np.float64)
    lift_CV = smoothed_lift(counts_CV, pseudo_count)
    share_CV = counts_CV / np.maximum(counts_CV.sum(1, keepdims=True), 1)
    return np.where(lift_CV > 0, share_CV * np.log2(np.where(lift_CV > 0, lift_CV, 1)), 0.0)


def class_tf_idf(counts_CW: np.ndarray) -> np.ndarray:
    """Return a class-based TF-IDF of words in clusters.

    w = tf · log(1 + A / f): tf is the word's share of the cluster's words, f its count over all
    clusters, A the mean number of words a cluster.

    Args:
        counts_CW: Images of cluster C with word W.

    Returns:
        float64 (C, W), zero or above.

    Source: Grootendorst 2022 (BERTopic), Eq. 3.

    >>> class_tf_idf(np.array([[4, 0], [4, 8]])).round(2)
    array([[0.69, 0.  ],
           [0.23, 0.46]])
    """
    counts_CW = np.asarray(counts_CW, np.float64)
    words_C1 = np.maximum(counts_CW.sum(1, keepdims=True), 1)
    mean = counts_CW.sum() / max(len(counts_CW), 1)
    of_word_W = np.maximum(counts_CW.sum(0), 1)
    return np.asarray(counts_CW / words_C1 * np.log1p(mean / of_word_W))
