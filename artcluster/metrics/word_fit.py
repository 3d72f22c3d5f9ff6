"""Which words fit which cluster, in a space that pictures and words share."""

from dataclasses import dataclass

import numpy as np

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
