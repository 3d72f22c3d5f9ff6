"""`faces-kmeans` and `faces-dbscan`: the same face in several pictures."""

from artcluster.clustering.dbscan import dbscan, knee_distance
from artcluster.clustering.hdbscan import density_clusters
from artcluster.clustering.model.space import ModelSpace, principal_space
from artcluster.errors import TooFewError, UsageError
from artcluster.workflows.clustering.methods.base import (
    Fitted,
    TrainingSet,
    build_model,
    codes_of,
    pairwise_sample,
)
from artcluster.workflows.clustering.methods.kmeans import fit_kmeans
from artcluster.workflows.job import Job


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
    model = build_model(settings, sample, space, found.centroids_KD, found.rule)
    noise = float((found.labels_N < 0).mean())
    return Fitted(model, {"fitted_on": len(sample.x_ND), "noise_share": noise})


def fit_face_kmeans(job: Job, data: TrainingSet) -> Fitted:
    """Fit centroids of faces.

    Raises:
        TooFewError: There are fewer faces than clusters asked for.
    """
    k = job.config.cluster.k
    if len(data.x_ND) < k:
        raise TooFewError(
            f"{_faces(len(data.x_ND))}: too few for {k} clusters. Ask for fewer (--k), or use "
            "--method faces-dbscan, which needs no number"
        )
    return fit_kmeans(job, data)


def fit_face_dbscan(job: Job, data: TrainingSet) -> Fitted:
    """Fit groups of faces that lie within eps of one another; `cluster.k` has no say.

    Raises:
        TooFewError: No two faces are alike.
    """
    settings = job.config.cluster
    eps, least = settings.dbscan.eps, settings.dbscan.min_samples
    if len(data.x_ND) < least:
        raise TooFewError(f"{_faces(len(data.x_ND))}: too few for a group of {least}")
    with job.timings.stage("density"):
        if eps == "knee":
            eps = knee_distance(data.x_ND, least - 1)
        found = dbscan(data.x_ND, eps=eps, min_samples=least)
    if found is None:
        raise TooFewError(
            f"{_faces(len(data.x_ND))}, and no {least} of them within {eps:.2f} of one another: "
            "every face is of somebody else. Raise cluster.dbscan.eps to group less alike ones"
        )
    model = build_model(
        settings, data, ModelSpace(data.x_ND.shape[1]), found.centroids_KD, found.rule
    )
    noise = float((found.labels_N < 0).mean())
    return Fitted(model, {"dbscan": {"eps": eps, "noise_share": noise}})


def _faces(count: int) -> str:
    return {0: "There are no faces", 1: "There is one face"}.get(count, f"There are {count} faces")
