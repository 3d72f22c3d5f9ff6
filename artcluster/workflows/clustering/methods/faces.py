"""`faces-kmeans` and `faces-dbscan`: the same face in several pictures."""

from artcluster.clustering.dbscan import dbscan, knee_distance
from artcluster.clustering.model.space import ModelSpace
from artcluster.embedders import FACES
from artcluster.errors import TooFewError
from artcluster.workflows.clustering.methods.base import Fitted, Method, TrainingSet, build_model
from artcluster.workflows.clustering.methods.kmeans import KMEANS_SETTINGS, fit_kmeans
from artcluster.workflows.job import Job


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


METHODS = (
    Method(
        name="faces-kmeans",
        summary="k-means of the faces found in the pictures",
        fit=fit_face_kmeans,
        settings=KMEANS_SETTINGS,
        network=lambda _: FACES,
    ),
    Method(
        name="faces-dbscan",
        summary="groups of faces that lie within a distance of one another; the rest is noise",
        fit=fit_face_dbscan,
        settings=("dbscan",),
        network=lambda _: FACES,
        minimum="dbscan.min_samples",
    ),
)
