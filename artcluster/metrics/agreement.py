"""Agreement of clusters with known labels: accuracy by best mapping, NMI, ARI."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linear_sum_assignment

NOISE = -1


def contingency(labels_N: np.ndarray, truth_N: np.ndarray) -> np.ndarray:
    """Count the points of each pair of cluster and class.

    Rows are the distinct values of `labels_N` in ascending order, columns those of `truth_N`.

    Returns:
        int64 (clusters, classes); the total is N.

    Raises:
        ValueError: The two do not have the same length.

    >>> contingency(np.array([0, 0, 1]), np.array(["a", "b", "b"]))
    array([[1, 1],
           [0, 1]])
    """
    if labels_N.ndim != 1 or labels_N.shape != truth_N.shape:
        raise ValueError(
            f"labels and truth must be vectors of one length, got shapes "
            f"{labels_N.shape} and {truth_N.shape}"
        )
    clusters, rows = np.unique(labels_N, return_inverse=True)
    classes, columns = np.unique(truth_N, return_inverse=True)
    pairs = rows.astype(np.int64) * len(classes) + columns
    counts = np.bincount(pairs, minlength=len(clusters) * len(classes))
    return counts.reshape(len(clusters), len(classes))


def cluster_sizes(labels_N: np.ndarray, k: int) -> np.ndarray:
    """Count the members of clusters 0 … k−1, int64; noise (−1) is left out.

    Raises:
        ValueError: A label is below −1 or not below k.

    >>> cluster_sizes(np.array([0, 2, 2, -1]), k=3).tolist()
    [1, 0, 2]
    """
    if labels_N.size and (labels_N.min() < NOISE or labels_N.max() >= k):
        raise ValueError(
            f"labels must lie in -1 … {k - 1} for k={k}, got {labels_N.min()} … {labels_N.max()}"
        )
    return np.bincount(labels_N[labels_N != NOISE], minlength=k)


def non_empty_clusters(labels_N: np.ndarray) -> int:
    """Count the clusters that have a member; noise (−1) is not a cluster.

    >>> non_empty_clusters(np.array([0, 2, 2, -1]))
    2
    """
    return len(np.unique(labels_N[labels_N != NOISE]))


@dataclass(frozen=True, eq=False)
class LabelAgreement:
    """How well clusters agree with labels, over the points that have a label.

    All measures are NaN where no point has a label. Accuracy rewards collapse where one label is
    frequent: it never stands alone.

    Attributes:
        clusters_M: Cluster of each labelled point, −1 for noise.
        truth_M: Label of each labelled point, as a place in `names`.
    """

    clusters_M: np.ndarray
    truth_M: np.ndarray
    names: Sequence[Hashable]

    @cached_property
    def counts_CT(self) -> np.ndarray:
        """Labelled points by cluster (noise first, if any) and label, both ascending."""
        return contingency(self.clusters_M, self.truth_M)

    @cached_property
    def _mapped(self) -> tuple[float, dict[int, int]]:
        return clustering_accuracy(self.clusters_M, self.truth_M)

    @property
    def accuracy(self) -> float:
        """Share of points whose cluster is mapped to their label, 0 to 1."""
        return self._mapped[0] if self.labelled_count else np.nan

    @property
    def nmi(self) -> float:
        """Normalised mutual information, 0 to 1."""
        return normalised_mutual_information(self.counts_CT) if self.labelled_count else np.nan

    @property
    def ari(self) -> float:
        """Adjusted Rand index, −0.5 to 1; about 0 by chance."""
        return adjusted_rand_index(self.counts_CT) if self.labelled_count else np.nan

    @property
    def non_empty(self) -> int:
        """Clusters with a member among the labelled points; noise is not a cluster."""
        return non_empty_clusters(self.clusters_M)

    @property
    def labelled_count(self) -> int:
        """Points with a label, noise points among them."""
        return len(self.truth_M)

    @property
    def mapping(self) -> dict[int, Hashable]:
        """The label of each cluster; clusters beyond the number of labels have none."""
        if not self.labelled_count:
            return {}
        return {cluster: self.names[label] for cluster, label in self._mapped[1].items()}


def label_agreement(labels_N: np.ndarray, truth: Sequence[Hashable | None]) -> LabelAgreement:
    """Compare clusters with labels that may be partly missing.

    Points without a label (None, or a float NaN) are left out. Noise (cluster −1) is never mapped
    to a label, so that noise points count as wrong for accuracy; for NMI and ARI they are a group
    like any other.

    Args:
        labels_N: Cluster of each point, −1 for noise.
        truth: Label of each point, None where it is not known.

    Raises:
        ValueError: The two do not have the same length.

    >>> found = label_agreement(np.array([0, 0, 1, 1, 1]), ["a", "a", "b", "b", None])
    >>> found.accuracy, found.nmi, found.ari, found.non_empty, found.labelled_count
    (1.0, 1.0, 1.0, 2, 4)
    >>> found.mapping
    {0: 'a', 1: 'b'}
    """
    if len(truth) != len(labels_N):
        raise ValueError(
            f"truth must hold one label (or None) per point, got {len(truth)} for {len(labels_N)}"
        )
    numbers: dict[Hashable, int] = {}
    truth_N = np.array(
        [-1 if _missing(label) else numbers.setdefault(label, len(numbers)) for label in truth],
        dtype=np.int64,
    )
    labelled = truth_N >= 0
    return LabelAgreement(labels_N[labelled], truth_N[labelled], list(numbers))


def clustering_accuracy(labels_N: np.ndarray, truth_N: np.ndarray) -> tuple[float, dict[int, int]]:
    """Share of points that the best one-to-one mapping of clusters to classes gets right.

    Noise (cluster −1) is mapped to nothing. With more clusters than classes the rest is unmapped.

    Returns:
        The accuracy, 0 to 1, and the mapping from cluster to class.

    Source: Xie et al. 2016, Eq. 10; the mapping by the Hungarian method.

    >>> clustering_accuracy(np.array([1, 1, 0, 0]), np.array([7, 7, 9, 7]))
    (0.75, {0: 9, 1: 7})
    """
    table = contingency(labels_N, truth_N)
    clusters, classes = np.unique(labels_N), np.unique(truth_N)
    real = clusters != NOISE
    table, clusters = table[real], clusters[real]
    rows, columns = linear_sum_assignment(table, maximize=True)
    mapping = {
        int(clusters[row]): int(classes[column]) for row, column in zip(rows, columns, strict=True)
    }
    return float(table[rows, columns].sum() / len(labels_N)), mapping


def normalised_mutual_information(table: np.ndarray) -> float:
    """Mutual information over the arithmetic mean of the two entropies, 0 to 1.

    One where both sides hold a single group, as in scikit-learn; zero where one of them does.

    Args:
        table: Contingency, (clusters, classes).

    >>> normalised_mutual_information(np.array([[2, 0], [0, 2]]))
    1.0
    """
    shares = table / table.sum()
    rows, columns = shares.sum(1), shares.sum(0)
    mean_entropy = (_entropy(rows) + _entropy(columns)) / 2
    if mean_entropy == 0:
        return 1.0
    held = shares > 0
    information = float(
        (
            shares * np.log(shares / np.outer(rows, columns), where=held, out=np.zeros_like(shares))
        ).sum()
    )
    return float(np.clip(information / mean_entropy, 0, 1))


def adjusted_rand_index(table: np.ndarray) -> float:
    """Share of pairs of points on which the two agree, adjusted for chance; at most 1.

    Args:
        table: Contingency, (clusters, classes).

    Source: Hubert & Arabie 1985.

    >>> adjusted_rand_index(np.array([[1, 1], [1, 1]]))
    -0.5
    """
    # Python's integers: products of pair counts overflow int64 from some 100,000 points on.
    together = _pairs(table)
    rows, columns = _pairs(table.sum(1)), _pairs(table.sum(0))
    total = _pairs(table.sum())
    numerator = together * total - rows * columns
    denominator = (rows + columns) * total - 2 * rows * columns
    return 1.0 if denominator == 0 else 2 * numerator / denominator


def _pairs(counts: np.ndarray) -> int:
    return sum(count * (count - 1) // 2 for count in np.atleast_1d(counts).ravel().tolist())


def _entropy(shares: np.ndarray) -> float:
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum())


def _missing(label: Hashable | None) -> bool:
    return label is None or (isinstance(label, float) and np.isnan(label))
