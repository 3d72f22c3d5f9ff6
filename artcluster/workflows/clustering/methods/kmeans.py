"""k-means: on vectors, on the codes of a network, by directions; and the seeds of other methods."""

from typing import Any

import numpy as np
import torch

from artcluster.clustering.kmeans.faiss import kmeans_by_faiss
from artcluster.clustering.kmeans.kmeans import KMeansResult, kmeans
from artcluster.clustering.kmeans.spherical import spherical_kmeans
from artcluster.clustering.model.model import ClusterModel
from artcluster.clustering.model.space import ModelSpace, UnitLength
from artcluster.config import ClusterSettings
from artcluster.workflows.clustering.methods.base import Fitted, Method, TrainingSet, build_model
from artcluster.workflows.job import Job


def seeds(x_ND: np.ndarray, settings: ClusterSettings) -> KMeansResult:
    """Cluster vectors float32 (N, D), or codes."""
    engine = kmeans if settings.kmeans_engine == "torch" else kmeans_by_faiss
    return engine(
        x_ND,
        settings.k,
        restarts=settings.restarts,
        seed=settings.seed,
        gpu=False if settings.use_gpu is False else "auto",
    )


def kmeans_facts(found: KMeansResult) -> dict[str, Any]:
    """Return what is worth keeping of it, as JSON has it."""
    facts = {
        "inertia": found.inertia,
        "iterations": found.iterations,
        "non_empty": found.non_empty,
        "restart_inertias": list(found.restart_inertias),
    }
    return {"kmeans": facts}


def fit_kmeans(job: Job, data: TrainingSet) -> Fitted:
    """Fit centroids."""
    settings = job.config.cluster
    with job.timings.stage("k-means"):
        found = seeds(data.scaled(settings.scaling), settings)
    steps = (UnitLength(),) if settings.scaling == "unit" else ()
    model = build_model(settings, data, ModelSpace(data.x_ND.shape[1], steps), found.centroids_KD)
    return Fitted(model, kmeans_facts(found))


def continue_kmeans(job: Job, data: TrainingSet, last: ClusterModel) -> Fitted:
    """Iterate k-means from the last centroids, in the last model's space, which stays as it is."""
    settings = job.config.cluster
    with job.timings.stage("k-means"):
        found = kmeans(
            last.transform(data.x_ND, threads=torch.get_num_threads()),
            last.k,
            init_KD=last.centroids_KD,
            gpu=False if settings.use_gpu is False else "auto",
        )
    return Fitted(build_model(settings, data, last.space, found.centroids_KD), kmeans_facts(found))


def fit_spherical(job: Job, data: TrainingSet, last: ClusterModel | None = None) -> Fitted:
    """Fit centroids of length one; from the last model's, if it is given."""
    settings = job.config.cluster
    with job.timings.stage("k-means"):
        found = spherical_kmeans(
            data.scaled("unit"),
            settings.k if last is None else last.k,
            restarts=settings.restarts,
            seed=settings.seed,
            init_KD=None if last is None else last.centroids_KD,
        )
    model = build_model(
        settings, data, ModelSpace(data.x_ND.shape[1], (UnitLength(),)), found.centroids_KD
    )
    return Fitted(model, kmeans_facts(found))


KMEANS_SETTINGS = ("restarts", "kmeans_engine", "scaling")

METHODS = (
    Method(
        name="kmeans",
        summary="centroids of the embedder's vectors",
        fit=fit_kmeans,
        settings=KMEANS_SETTINGS,
        warm=continue_kmeans,
    ),
    Method(
        name="spherical-kmeans",
        summary="k-means of the vectors' directions",
        fit=fit_spherical,
        settings=("restarts",),
        warm=fit_spherical,
    ),
    Method(
        name="pca-kmeans",
        summary="k-means on principal components of the pixels",
        fit=fit_kmeans,
        settings=(*KMEANS_SETTINGS, "pca_components"),
        network=lambda settings: f"pca:{settings.pca_components}",
        warm=continue_kmeans,
    ),
    Method(
        name="cae-kmeans",
        summary="k-means on the codes of a convolutional autoencoder",
        fit=fit_kmeans,
        settings=KMEANS_SETTINGS,
        network=lambda _: "cae",
        warm=continue_kmeans,
    ),
)
