"""The methods by name: each fits a model to vectors, or trains an encoder of its own first."""

from collections.abc import Callable, Mapping

from artcluster.embedders import FACES
from artcluster.errors import UsageError
from artcluster.workflows.clustering.methods.agglomerative import fit_consensus, fit_hierarchy
from artcluster.workflows.clustering.methods.base import Fitted, TrainingSet
from artcluster.workflows.clustering.methods.dcec import fit_dcec
from artcluster.workflows.clustering.methods.dec import fit_ae_kmeans, fit_delius
from artcluster.workflows.clustering.methods.density import (
    fit_face_dbscan,
    fit_face_kmeans,
    fit_hdbscan,
)
from artcluster.workflows.clustering.methods.guided import fit_guided
from artcluster.workflows.clustering.methods.kmeans import fit_kmeans, fit_spherical
from artcluster.workflows.clustering.methods.own_network import network_of
from artcluster.workflows.clustering.methods.temi import fit_temi
from artcluster.workflows.job import Job

METHODS: Mapping[str, Callable[[Job, TrainingSet], Fitted]] = {
    "kmeans": fit_kmeans,
    "ae-kmeans": fit_ae_kmeans,
    "delius": fit_delius,
    "pca-kmeans": fit_kmeans,
    "cae-kmeans": fit_kmeans,
    "cae-dec": fit_dcec,
    "dcec-paint": fit_dcec,
    "dcec": fit_dcec,
    "dcec-noweights": fit_dcec,
    "genre-dec": fit_dcec,
    "spherical-kmeans": fit_spherical,
    "consensus": fit_consensus,
    "hierarchy": fit_hierarchy,
    "hdbscan": fit_hdbscan,
    "temi": fit_temi,
    "guided": fit_guided,
    "faces-kmeans": fit_face_kmeans,
    "faces-dbscan": fit_face_dbscan,
}


def fit(job: Job, data: TrainingSet) -> Fitted:
    """Fit the configured method.

    Raises:
        UsageError: There are fewer distinct contents than clusters asked for.
        TooFewError: There are too few faces.
    """
    settings = job.config.cluster
    if len(data.x_ND) < settings.k and network_of(settings) != FACES:
        raise UsageError(
            f"cluster.k is {settings.k}, but there are only {len(data.x_ND)} distinct images: ask "
            f"for at most {len(data.x_ND)} clusters (--k)"
        )
    return METHODS[settings.method](job, data)


__all__ = ["METHODS", "Fitted", "TrainingSet", "fit"]
