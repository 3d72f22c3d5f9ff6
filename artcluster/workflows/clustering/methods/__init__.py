"""The methods by name. What each is stands in a record of its file, which is imported when asked.

To add a method, write a file with its `Method` in `METHODS`, and name both here: checks of the
config, help, updates, sweeps and comparisons go by the record. Nothing here imports torch, so that
help is there at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from artcluster.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from artcluster.config import ClusterSettings
    from artcluster.workflows.clustering.methods.base import Fitted, Method, TrainingSet
    from artcluster.workflows.job import Job

METHODS: Mapping[str, str] = {
    "delius": "dec",
    "ae-kmeans": "dec",
    "kmeans": "kmeans",
    "spherical-kmeans": "kmeans",
    "consensus": "agglomerative",
    "hierarchy": "agglomerative",
    "hdbscan": "hdbscan",
    "temi": "temi",
    "guided": "guided",
    "dcec-paint": "dcec",
    "dcec": "dcec",
    "dcec-noweights": "dcec",
    "cae-kmeans": "kmeans",
    "cae-dec": "dcec",
    "genre-dec": "dcec",
    "pca-kmeans": "kmeans",
    "faces-kmeans": "faces",
    "faces-dbscan": "faces",
}
"""Method → the file beside this one that has its record. Help lists them in this order."""


def check_method(name: str) -> None:
    """Refuse a method that there is not.

    Raises:
        UsageError: The name is none of `METHODS`.

    >>> check_method("kmeens")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    artcluster.errors.UsageError: cluster.method: expected one of delius, ..., faces-dbscan, got \
'kmeens' (did you mean 'kmeans'?)
    """
    if name not in METHODS:
        raise UsageError(
            f"cluster.method: expected one of {', '.join(METHODS)}, got {name!r}"
            f"{did_you_mean(name, METHODS)}"
        )


def find_method(name: str) -> Method:
    """Return a method's record.

    Raises:
        UsageError: There is no such method.
    """
    check_method(name)
    file = import_module(f"{__name__}.{METHODS[name]}")
    found: Method = next(method for method in file.METHODS if method.name == name)
    return found


def network_of(settings: ClusterSettings) -> str | None:
    """Return the embedder that the configured method has; None for methods over any vectors.

    All but `faces` are trained on the pictures.

    >>> from artcluster.config import ClusterSettings
    >>> network_of(ClusterSettings(method="dcec-paint"))
    'cae'
    >>> network_of(ClusterSettings(method="delius")) is None
    True
    """
    network = find_method(settings.method).network
    return None if network is None else network(settings)


def fit(job: Job, data: TrainingSet) -> Fitted:
    """Fit the configured method.

    Raises:
        UsageError: There are fewer distinct images than the method needs.
        TooFewError: There are too few faces.
    """
    settings = job.config.cluster
    check_enough(settings, len(data.x_ND))
    return find_method(settings.method).fit(job, data)


def check_enough(settings: ClusterSettings, images: int) -> None:
    """Refuse too few images for the configured method; of faces there may be any number.

    Raises:
        UsageError: There are fewer than it needs.
    """
    from artcluster.embedders import FACES

    minimum = find_method(settings.method).minimum
    least = value_of(settings, minimum)
    if images >= least or network_of(settings) == FACES:
        return
    if images < 2:
        raise UsageError("there is only one distinct image: it takes two or more to cluster")
    option = "ask for at most that many clusters (--k)" if minimum == "k" else "lower it"
    raise UsageError(
        f"cluster.{minimum} is {least}, but there are only {images} distinct images: {option}"
    )


def value_of(settings: ClusterSettings, name: str) -> Any:
    """Return a setting by its dotted name below `cluster`, or a section of settings.

    >>> from artcluster.config import ClusterSettings
    >>> value_of(ClusterSettings(), "dec.batch_size")
    256
    """
    found: Any = settings
    for part in name.split("."):
        found = getattr(found, part)
    return found
