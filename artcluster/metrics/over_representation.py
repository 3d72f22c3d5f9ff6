"""Which values are over-represented in which cluster, from counts alone."""

import math
from dataclasses import dataclass

import numpy as np

_Z = 1.959963984540054


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share, by Wilson's score.

    Raises:
        ValueError: There are not between 0 and `count` hits, or `count` is below 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> [round(end, 3) for end in wilson_interval(8, 10)]
    [0.49, 0.943]
    """
    if count < 1 or not 0 <= hits <= count:
        raise ValueError(f"expected hits of 0 to count, and count of at least 1: {hits}, {count}")
    share, square = hits / count, _Z * _Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    half /= 1 + square / count
    return max(0.0, middle - half), min(1.0, middle + half)


_FLOOR = 1e-3


@dataclass(frozen=True)
class WordFit:
    """How well each of W words fits each of C clusters.

    Attributes:
        cosine_CW: Cosine of the angle between the cluster's mean and the word, float64.
        probability_CW: Softmax of the scaled cosines over the words, float64.
        lift_CW: How many times likelier the word is here than on average in the other clusters.
        keyness_CW: Probability times log₂ of the lift, in bits: what words are ranked by.
    """

    cosine_CW: np.ndarray
    probability_CW: np.ndarray
    lift_CW: np.ndarray
    keyness_CW: np.ndarray


def word_fit(means_CD: np.ndarray, words_WD: np.ndarray, scale: float) -> WordFit:
    """Compare the means of clusters with words.

    A word that fits all clusters alike has a lift near 1, and says nothing of any. The lift is
    drawn towards 1 where both probabilities are below a thousandth. A single cluster has no others,
    and lifts of 1.

    Args:
        means_CD: Mean of each cluster's vectors, themselves of length one; of any length.
        words_WD: Vectors of the words, of length one.
        scale: What the network multiplies cosines by before its softmax.

    Source: zero-shot classification of Radford et al. 2021 (CLIP), 3.1.2, here of clusters; the
    contrast to other clusters is ours, in the measure of `keyness`.

    >>> fit = word_fit(np.eye(2), np.array([[1.0, 0.0], [0.6, 0.8]]), scale=10.0)
    >>> fit.cosine_CW
    array([[1. , 0.6],
           [0. , 0.8]])
    >>> fit.keyness_CW.argmax(axis=1)
    array([0, 1])
    """
    means_CD = np.asarray(means_CD, np.float64)
    length_C1 = np.linalg.norm(means_CD, axis=1, keepdims=True)
    unit_CD = means_CD / np.where(length_C1 > 0, length_C1, 1)
    cosine_CW = unit_CD @ np.asarray(words_WD, np.float64).T
    logits_CW = scale * (cosine_CW - cosine_CW.max(axis=1, keepdims=True))
    probability_CW = np.exp(logits_CW)
    probability_CW /= probability_CW.sum(axis=1, keepdims=True)
    clusters = len(probability_CW)
    others_CW = (
        (probability_CW.sum(axis=0) - probability_CW) / (clusters - 1)
        if clusters > 1
        else probability_CW
    )
    lift_CW = (probability_CW + _FLOOR) / (others_CW + _FLOOR)
    return WordFit(cosine_CW, probability_CW, lift_CW, probability_CW * np.log2(lift_CW))


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
