"""`hdbscan`: clusters denser than what is around them, and noise between them."""

from artcluster.clustering.hdbscan import density_clusters
from artcluster.errors import UsageError
from artcluster.workflows.clustering.methods.base import (
    Fitted,
    Method,
    TrainingSet,
    build_model,
    codes_of,
    direction_space,
    pairwise_sample,
)
from artcluster.workflows.job import Job


def fit_hdbscan(job: Job, data: TrainingSet) -> Fitted:
    """Fit HDBSCAN; `cluster.k` has no say.

    Raises:
        UsageError: Nothing is dense enough to be a cluster.
    """
    settings = job.config.cluster
    sample = pairwise_sample(job, data)
    space = direction_space(data, settings.space_dim)
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
    model = build_model(settings, sample, space, found.centroids_KD, found.rule)
    noise = float((found.labels_N < 0).mean())
    return Fitted(model, {"fitted_on": len(sample.x_ND), "noise_share": noise})


METHODS = (
    Method(
        name="hdbscan",
        summary="clusters denser than what is around them; the rest is noise",
        fit=fit_hdbscan,
        settings=("space_dim", "max_pairwise_vectors", "hdbscan"),
        minimum="hdbscan.min_cluster_size",
    ),
)
