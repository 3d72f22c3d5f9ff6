"""`kmeans`: on the embeddings themselves, as they are or scaled to length one."""

from artcluster.clustering.model_space import ModelSpace, UnitLength
from artcluster.stages.job import Job
from artcluster.stages.methods.made_model import made_model
from artcluster.stages.methods.seeds import kmeans_facts, seeds
from artcluster.stages.methods.training_set import Fitted, TrainingSet


def fit_kmeans(job: Job, data: TrainingSet) -> Fitted:
    """Fit centroids."""
    settings = job.config.cluster
    with job.timings.stage("k-means"):
        found = seeds(data.scaled(settings.scaling), settings)
    steps = (UnitLength(),) if settings.scaling == "unit" else ()
    model = made_model(settings, data, ModelSpace(data.x_ND.shape[1], steps), found.centroids_KD)
    return Fitted(model, kmeans_facts(found))
