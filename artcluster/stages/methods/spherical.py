"""`spherical-kmeans`: centroids of directions, by the cosine."""

import torch

from artcluster.clustering.model import ClusterModel
from artcluster.clustering.model_fit import fit_model
from artcluster.clustering.model_space import ModelSpace, UnitLength
from artcluster.clustering.spherical_kmeans import spherical_kmeans
from artcluster.stages.job import Job
from artcluster.stages.methods.seeds import kmeans_facts
from artcluster.stages.methods.training_set import Fitted, TrainingSet


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
    model = fit_model(
        data.x_ND,
        method=settings.method,
        embedder_id=data.embedder_id,
        space=ModelSpace(data.x_ND.shape[1], (UnitLength(),)),
        centroids_KD=found.centroids_KD,
        seed=settings.seed,
        threads=torch.get_num_threads(),
    )
    return Fitted(model, kmeans_facts(found))
