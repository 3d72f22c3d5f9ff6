"""The vectors that a fitted model takes, which may be of an embedder that its method made."""

from artcluster.clustering.model import ClusterModel
from artcluster.stages.job import Job
from artcluster.stages.methods.training_set import TrainingSet
from artcluster.store.member_ids import rows_among
from artcluster.store.vectors import gather


def vectors_for(job: Job, model: ClusterModel, data: TrainingSet) -> TrainingSet:
    """Return the contents of a training set with the vectors that a model takes.

    Where the model's embedder is another than the set's, the set's own vectors go along as
    `pretrained_ND`.
    """
    if model.embedder_id == data.embedder_id:
        return data
    content_ids, x_ND = gather(
        job.store,
        model.embedder_id,
        data.content_ids,
        limit_bytes=job.config.cluster.max_training_bytes,
    )
    return TrainingSet(
        model.embedder_id,
        content_ids,
        x_ND,
        data.sampled_from,
        data.archive_id,
        pretrained_ND=data.x_ND[rows_among(content_ids, data.content_ids)],
    )
