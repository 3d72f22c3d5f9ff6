"""The sample that methods are fitted on which compare every vector with all the others."""

from dataclasses import replace

import pyarrow as pa

from artcluster.clustering.kmeans import sample_indices
from artcluster.stages.job import Job
from artcluster.stages.methods.training_set import TrainingSet


def pairwise_sample(job: Job, data: TrainingSet) -> TrainingSet:
    """Return at most `cluster.max_pairwise_vectors` of the contents; say so where that is fewer."""
    settings = job.config.cluster
    rows = sample_indices(len(data.x_ND), settings.max_pairwise_vectors, settings.seed)
    if len(rows) == len(data.x_ND):
        return data
    job.progress.say(
        f"{settings.method} compares vectors in pairs: it is fitted on {len(rows):,} of "
        f"{len(data.x_ND):,} (cluster.max_pairwise_vectors); the rest is assigned by the model."
    )
    return replace(data, content_ids=data.content_ids.take(pa.array(rows)), x_ND=data.x_ND[rows])
