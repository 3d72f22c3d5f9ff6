"""The methods as a scikit-learn estimator over vectors at hand: no store, no Ray."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from artcluster.clustering.model.confidence import Assignment
from artcluster.config import load_config
from artcluster.errors import UsageError
from artcluster.executors.local import InProcessExecutor
from artcluster.runtime.progress import Silent, Timings
from artcluster.store import Store
from artcluster.workflows.clustering.methods import find_method, fit
from artcluster.workflows.clustering.methods.base import TrainingSet
from artcluster.workflows.job import Job

_VECTORS = "vectors"
"""What the models of an estimator call the embedder that they know nothing of."""


class Clusterer(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    ClusterMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Clusters vectors as the commands do, behind scikit-learn's interface.

    Args:
        n_clusters: Number of clusters, at least 2.
        method: Name of a method, as `artcluster cluster --method` takes it.
        random_state: Seed, or scikit-learn's other ways to say it; None draws one.
        settings: Further settings of the section `cluster`, by dotted name, such as
            `{"dec.tolerance": 0.01}`.

    Attributes:
        labels_: int32 (N,), the cluster of each vector that was fitted.
        cluster_centers_: float32 (K, dim), the centroids in the model's space: that of the
            vectors for `kmeans`, of the codes for methods with an encoder.
        model_: The `ClusterModel`, with its thresholds for doubtful vectors and outliers.
        training_: What is worth knowing of the training: losses, inertia.
        verdict_: What was found of a refinement; '' for methods without one.
        n_features_in_: Length of the vectors.

    >>> x = np.array([[0, 0], [0, 1], [9, 9], [9, 8]])
    >>> clusterer = Clusterer(n_clusters=2, random_state=0).fit(x)
    >>> bool(clusterer.labels_[0] == clusterer.labels_[1] != clusterer.labels_[2])
    True
    >>> bool(clusterer.predict([[8, 8]])[0] == clusterer.labels_[3])
    True
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        method: str = "kmeans",
        random_state: Any = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.method = method
        self.random_state = random_state
        self.settings = settings

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit a model to vectors (N, dim); `y` is ignored.

        Raises:
            ValueError: The vectors are not finite or fewer than the clusters, or a setting is
                wrong.
        """
        del y
        x_ND = validate_data(self, X, dtype=np.float32, order="C")
        method = find_method(self.method)
        if len(x_ND) < self.n_clusters and not method.finds_k:
            raise UsageError(f"n_samples={len(x_ND)} should be >= n_clusters={self.n_clusters}.")
        flags = {
            "cluster.k": self.n_clusters,
            "cluster.method": self.method,
            "cluster.seed": int(check_random_state(self.random_state).randint(2**31 - 1)),
        }
        given = {f"cluster.{name}": value for name, value in (self.settings or {}).items()}
        config = load_config(flags=given | flags)
        names = pa.array([f"{row:064x}" for row in range(len(x_ND))])
        progress = Silent()
        with tempfile.TemporaryDirectory(prefix="artcluster-fit-") as folder:
            store = Store.open(Path(folder), create=True)
            executor = InProcessExecutor()
            job = Job(config, store, executor, executor, progress, Timings(progress))
            fitted = fit(job, TrainingSet(_VECTORS, names, x_ND, len(x_ND)))
        self.model_ = fitted.model
        self.training_ = dict(fitted.training)
        self.verdict_ = fitted.verdict
        self.cluster_centers_ = fitted.model.centroids_KD
        self.labels_ = self._assigned(x_ND).cluster
        self._n_features_out = fitted.model.k
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the cluster of each vector, int32 (N,)."""
        return self.assign(X).cluster

    def transform(self, X: Any) -> np.ndarray:
        """Return distances to the centroids in the model's space, float32 (N, K)."""
        codes_ND = self.model_.transform(self._checked(X), threads=torch.get_num_threads())
        centres_KD = self.cluster_centers_.astype(np.float64)
        distances = [
            np.sqrt(((codes_ND.astype(np.float64) - centre_D) ** 2).sum(1))
            for centre_D in centres_KD
        ]
        return np.stack(distances, axis=1).astype(np.float32)

    def assign(self, X: Any) -> Assignment:
        """Return cluster, confidence, margin and doubts of each vector."""
        return self._assigned(self._checked(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _checked(self, vectors: Any) -> np.ndarray:
        check_is_fitted(self)
        checked: np.ndarray = validate_data(self, vectors, dtype=np.float32, order="C", reset=False)
        return checked

    def _assigned(self, x_ND: np.ndarray) -> Assignment:
        return self.model_.predict(x_ND, threads=torch.get_num_threads())
