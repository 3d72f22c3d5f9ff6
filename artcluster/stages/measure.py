"""Measuring a run: how well its clusters are separated, and how they agree with labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from artcluster.clustering.medoids import medoids
from artcluster.clustering.model import ClusterModel
from artcluster.config import ClusterSettings
from artcluster.metrics.agreement import label_agreement
from artcluster.metrics.contingency import NOISE, cluster_sizes, non_empty_clusters
from artcluster.metrics.dispersion import DispersionStatistic
from artcluster.metrics.dispersion import inertia as inertia_of
from artcluster.metrics.silhouette import silhouette
from artcluster.stages.assignments import Assigned
from artcluster.stages.methods import TrainingSet

_MEDOIDS = 9


@dataclass(frozen=True)
class Measured:
    """What is worth knowing of a run.

    Attributes:
        metrics: Values as JSON has them; what is not defined is None.
        sizes: Distinct contents by cluster, empty ones too.
        medoids: content_ids nearest to each cluster's centroid.
    """

    metrics: Mapping[str, Any]
    sizes: Mapping[int, int]
    medoids: Mapping[int, Sequence[str]]


def measure(
    model: ClusterModel,
    data: TrainingSet,
    assigned: Assigned,
    labels: Mapping[str, Sequence[str | None]],
    settings: ClusterSettings,
) -> Measured:
    """Measure a run.

    Distances are measured on the vectors that the model was fitted on: all, or the stated sample.

    Args:
        model: The model.
        data: Those vectors.
        assigned: Every content's cluster.
        labels: By metadata column, a label for each assigned content; None where it has none.
        settings: Limits of exactness.
    """
    clusters_N = assigned.table["cluster"].to_numpy()
    centroids_N = model.centroid_rows(clusters_N)
    rows = np.searchsorted(
        assigned.content_ids.to_numpy(zero_copy_only=False),
        data.content_ids.to_numpy(zero_copy_only=False),
    )
    fitted_N = centroids_N[rows]
    z_ND = model.transform(data.x_ND, threads=torch.get_num_threads())
    metrics: dict[str, Any] = {
        "contents": len(clusters_N),
        "measured_on": len(fitted_N),
        "non_empty": non_empty_clusters(clusters_N),
        "noise": int(np.sum(clusters_N == NOISE)),
        "low_confidence_share": _mean(assigned, "low_confidence"),
        "outlier_share": _mean(assigned, "outlier"),
        "mean_confidence": _mean(assigned, "confidence"),
        "mean_distance": _mean(assigned, "distance"),
        "inertia": inertia_of(z_ND, fitted_N, model.centroids_KD),
        "labels": {},
    }
    spaces = {"_embedder": data.x_ND}
    if model.space.steps:
        spaces[""] = z_ND
    if data.pretrained_ND is not None:
        # A refined network's own space says little: its objective made the clusters there.
        spaces["_pretrained"] = data.pretrained_ND
    separation = {
        name: _separation(points, fitted_N, model.k, settings) for name, points in spaces.items()
    }
    separation.setdefault("", separation["_embedder"])
    for space, values in separation.items():
        metrics |= {name.format(space): value for name, value in values.items()}
    for name, truth in labels.items():
        agreement = label_agreement(clusters_N, truth)
        metrics["labels"][name] = {
            "accuracy": _defined(agreement.accuracy),
            "nmi": _defined(agreement.nmi),
            "ari": _defined(agreement.ari),
            "non_empty": agreement.non_empty,
            "labelled_count": agreement.labelled_count,
            "mapping": {str(cluster): label for cluster, label in agreement.mapping.items()},
        }
    nearest = medoids(centroids_N, assigned.table["distance"].to_numpy(), model.k, _MEDOIDS)
    sizes = cluster_sizes(centroids_N, model.k)
    numbers = model.numbers_K.tolist()
    return Measured(
        metrics,
        dict(zip(numbers, sizes.tolist(), strict=True)),
        {
            cluster: assigned.content_ids.take(pa.array(found)).to_pylist()
            for cluster, found in zip(numbers, nearest, strict=True)
        },
    )


def _separation(
    points_ND: np.ndarray, clusters_N: np.ndarray, k: int, settings: ClusterSettings
) -> dict[str, Any]:
    """Return how well clusters are apart in a space, by name with a place for the space's."""
    found = silhouette(
        points_ND, clusters_N, limit=settings.max_silhouette_vectors, seed=settings.seed
    )
    dispersion = DispersionStatistic(k, points_ND.shape[1])
    dispersion.update(points_ND, clusters_N)
    return {
        "silhouette{}": _defined(found.value),
        "silhouette{}_points": found.points,
        "calinski_harabasz{}": _defined(dispersion.compute().calinski_harabasz),
    }


def _mean(assigned: Assigned, column: str) -> float:
    return float(np.mean(assigned.table[column].to_numpy()))


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
