"""`kmeans`: on the embeddings themselves, as they are or scaled to length one."""

import torch

from artcluster.clustering.model_fit import fit_model
from artcluster.clustering.model_space import ModelSpace, UnitLength
from artcluster.stages.job import Job
from artcluster.stages.methods.seeds import kmeans_facts, seeds
from artcluster.stages.methods.training_set import Fitted, TrainingSet


def fit_kmeans(job: Job, data: TrainingSet) -> Fitted:
    """Fit centroids."""
    settings = job.config.cluster
    with job.timings.stage("k-means"):
        found = seeds(data.scaled(settings.scaling), settings)
    steps = (UnitLength(),) if settings.scaling == "unit" else ()
    model = fit_model(
        data.x_ND,
        method=settings.method,
        embedder_id=data.embedder_id,
        space=ModelSpace(data.x_ND.shape[1], steps),
        centroids_KD=found.centroids_KD,
        seed=settings.seed,
        threads=torch.get_num_threads(),
    )
    return Fitted(model, kmeans_facts(found))
