"""The methods by name: each fits a model to vectors, or trains an encoder of its own first."""

from collections.abc import Callable, Mapping

from artcluster.errors import UsageError
from artcluster.stages.job import Job
from artcluster.stages.methods.autoencoder import fit_ae_kmeans, fit_delius
from artcluster.stages.methods.dcec import fit_dcec
from artcluster.stages.methods.kmeans import fit_kmeans
from artcluster.stages.methods.training_set import Fitted, TrainingSet

METHODS: Mapping[str, Callable[[Job, TrainingSet], Fitted]] = {
    "kmeans": fit_kmeans,
    "ae-kmeans": fit_ae_kmeans,
    "delius": fit_delius,
    "pca-kmeans": fit_kmeans,
    "cae-kmeans": fit_kmeans,
    "cae-dec": fit_dcec,
    "dcec-paint": fit_dcec,
    "dcec": fit_dcec,
    "dcec-noweights": fit_dcec,
    "genre-dec": fit_dcec,
}


def fit(job: Job, data: TrainingSet) -> Fitted:
    """Fit the configured method.

    Raises:
        UsageError: There are fewer distinct contents than clusters asked for.
    """
    settings = job.config.cluster
    if len(data.x_ND) < settings.k:
        raise UsageError(
            f"cluster.k is {settings.k}, but there are only {len(data.x_ND)} distinct images: ask "
            f"for at most {len(data.x_ND)} clusters (--k)"
        )
    return METHODS[settings.method](job, data)


__all__ = ["METHODS", "Fitted", "TrainingSet", "fit"]
