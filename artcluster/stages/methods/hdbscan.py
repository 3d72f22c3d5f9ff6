"""`hdbscan`: dense clusters of any shape and number, and noise."""

from artcluster.clustering.density import density_clusters
from artcluster.clustering.principal_space import principal_space
from artcluster.errors import UsageError
from artcluster.stages.job import Job
from artcluster.stages.methods.made_model import made_model
from artcluster.stages.methods.pairwise_sample import pairwise_sample
from artcluster.stages.methods.space import codes_of
from artcluster.stages.methods.training_set import Fitted, TrainingSet


def fit_hdbscan(job: Job, data: TrainingSet) -> Fitted:
    """Fit HDBSCAN; `cluster.k` has no say.

    Raises:
        UsageError: Nothing is dense enough to be a cluster.
    """
    settings = job.config.cluster
    sample = pairwise_sample(job, data)
    space = principal_space(data.x_ND, settings.space_dim)
    with job.timings.stage("density"):
        try:
            found = density_clusters(
                codes_of(space, sample.x_ND),
                min_cluster_size=settings.hdbscan.min_cluster_size,
                min_samples=settings.hdbscan.min_samples,
                selection=settings.hdbscan.selection,
            )
        except ValueError as nothing:
            raise UsageError(
                f"{nothing}: lower cluster.hdbscan.min_cluster_size or "
                "cluster.hdbscan.min_samples, or cluster.space_dim"
            ) from nothing
    model = made_model(settings, sample, space, found.centroids_KD, found.rule)
    noise = float((found.labels_N < 0).mean())
    return Fitted(model, {"fitted_on": len(sample.x_ND), "noise_share": noise})
