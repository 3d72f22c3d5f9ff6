"""`spherical-kmeans`: centroids of directions, by the cosine."""

from artcluster.clustering.model import ClusterModel
from artcluster.clustering.model_space import ModelSpace, UnitLength
from artcluster.clustering.spherical_kmeans import spherical_kmeans
from artcluster.stages.job import Job
from artcluster.stages.methods.made_model import made_model
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
    model = made_model(
        settings, data, ModelSpace(data.x_ND.shape[1], (UnitLength(),)), found.centroids_KD
    )
    return Fitted(model, kmeans_facts(found))
