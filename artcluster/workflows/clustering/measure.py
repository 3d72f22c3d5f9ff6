"""Measuring a run: how well its clusters are separated, and how they agree with labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from artcluster.archive.database import identifier, quoted
from artcluster.clustering.model.confidence import medoids
from artcluster.clustering.model.model import ClusterModel
from artcluster.config import ClusterSettings
from artcluster.metrics.agreement import NOISE, cluster_sizes, label_agreement, non_empty_clusters
from artcluster.metrics.measures import ClusteredPoints, measure_agreement, measure_points
from artcluster.store.members import rows_among, split_members
from artcluster.store.views import metadata_columns
from artcluster.workflows.archives import open_tables
from artcluster.workflows.clustering.assignments import Assigned
from artcluster.workflows.clustering.methods.base import TrainingSet
from artcluster.workflows.curation.keywords import distinctive_keywords, grouping_columns, term_text
from artcluster.workflows.job import Job


def keywords_of_clusters(job: Job, archive_id: str, assigned: Assigned) -> dict[int, list[str]]:
    """Return each cluster's over-represented metadata values, such as `style: aztec`.

    A content at several paths has the metadata of the first.
    """
    wanted = job.config.report.columns
    columns = [name for name in metadata_columns(job.store) if not wanted or name in wanted]
    if not columns:
        return {}
    chosen = ", ".join(
        f"arg_min(m.{identifier(name)}, i.path) AS {identifier(name)}" for name in columns
    )
    pictures, _ = split_members(assigned.content_ids)
    asked = pa.table(
        {
            "member": assigned.content_ids,
            "content_id": pictures,
            "cluster": assigned.assignment.cluster,
        }
    )
    with open_tables(job.store, job.config, "current_images", "current_metadata") as tables:
        tables.register("asked", asked)
        tables.execute(
            f"""
            CREATE TEMP TABLE described AS
            SELECT any_value(a.cluster) AS cluster, {chosen}
            FROM asked a
            JOIN current_images i ON i.content_id = a.content_id
            JOIN current_metadata m ON m.archive_id = i.archive_id AND m.path = i.path
            WHERE i.archive_id = {quoted(archive_id)} AND i.status = 'ok'
            GROUP BY a.member
            """
        )
        found = distinctive_keywords(
            tables, "described", grouping_columns(tables, "described", columns)
        )
    return {cluster: [term_text(term) for term in terms] for cluster, terms in found.items()}


_MEDOIDS = 9


@dataclass(frozen=True)
class RunMeasures:
    """Measures of a run, and what shows its clusters.

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
) -> RunMeasures:
    """Measure a run.

    Distances are measured on the vectors that the model was fitted on: all, or the stated sample.

    Args:
        labels: By metadata column, a label for each assigned content; None where it has none.
    """
    clusters_N = assigned.assignment.cluster
    centroids_N = model.centroid_rows(clusters_N)
    fitted_N = centroids_N[rows_among(data.content_ids, assigned.content_ids)]
    z_ND = model.transform(data.x_ND, threads=torch.get_num_threads())

    def in_space(x_ND: np.ndarray, centroids_KD: np.ndarray | None = None) -> ClusteredPoints:
        limit = settings.max_silhouette_vectors
        return ClusteredPoints(x_ND, fitted_N, centroids_KD, limit, settings.seed)

    own = in_space(z_ND, model.centroids_KD)
    spaces = {"": own, "_embedder": in_space(data.x_ND) if model.space.steps else own}
    if data.pretrained_ND is not None:
        # A refined network's own space says little: its objective made the clusters there.
        spaces["_pretrained"] = in_space(data.pretrained_ND)
    metrics = {
        "contents": len(clusters_N),
        "measured_on": len(fitted_N),
        "non_empty": non_empty_clusters(clusters_N),
        "noise": int(np.sum(clusters_N == NOISE)),
        "low_confidence_share": _mean(assigned.assignment.low_confidence),
        "outlier_share": _mean(assigned.assignment.outlier),
        "mean_confidence": _mean(assigned.assignment.confidence),
        "mean_distance": _mean(assigned.assignment.distance),
        **measure_points(spaces),
        "labels": {name: measure_label(clusters_N, truth) for name, truth in labels.items()},
    }
    nearest = medoids(centroids_N, assigned.assignment.distance, model.k, _MEDOIDS)
    sizes = cluster_sizes(centroids_N, model.k)
    numbers = model.numbers_K.tolist()
    return RunMeasures(
        metrics,
        dict(zip(numbers, sizes.tolist(), strict=True)),
        {
            cluster: assigned.content_ids.take(pa.array(found)).to_pylist()
            for cluster, found in zip(numbers, nearest, strict=True)
        },
    )


def measure_label(clusters_N: np.ndarray, truth: Sequence[str | None]) -> dict[str, Any]:
    """Return how far clusters agree with a label, and which of its values each stands for."""
    agreement = label_agreement(clusters_N, truth)
    mapping = {str(cluster): label for cluster, label in agreement.mapping.items()}
    return measure_agreement(agreement) | {"mapping": mapping}


def _mean(values_N: np.ndarray) -> float:
    return float(np.mean(values_N, dtype=np.float64))
