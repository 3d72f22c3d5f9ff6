"""What decides a clustering: runs, models, trials and checkpoints are named by this alone.

Only settings that the method at hand goes by have a say, and of these only the ones that differ
from their default: how work is spread, what is measured beside it, other methods' settings and
fields of a later release make no other result, and so no other name. Whoever changes a default
changes what the same name means, and gives the setting another name.
"""

from collections.abc import Iterable
from typing import Any

from artcluster.config import ClusterSettings
from artcluster.workflows.clustering.methods import find_method

_ALWAYS = ("seed", "count_duplicates", "max_training_vectors")
"""What chooses the vectors that any method is fitted on, and seeds it."""


def deciding_settings(settings: ClusterSettings) -> dict[str, Any]:
    """Return the settings below `cluster` that decide a model, defaults as well.

    >>> found = deciding_settings(ClusterSettings(method="spherical-kmeans", workers=3))
    >>> sorted(found)
    ['count_duplicates', 'k', 'max_training_vectors', 'method', 'restarts', 'seed']
    """
    return settings.model_dump(mode="json", include=_include(_deciding(settings)))


def model_params(settings: ClusterSettings, *measures: str) -> dict[str, Any]:
    """Return what names a model: those of them that are not at their default.

    Args:
        measures: Settings that what is measured beside it depends on.

    >>> model_params(ClusterSettings(method="kmeans", k=5, workers=3, labels=("style",)))
    {'method': 'kmeans', 'k': 5}
    """
    return {"method": settings.method} | params(settings, {*_deciding(settings), *measures})


def run_params(settings: ClusterSettings) -> dict[str, Any]:
    """Return what names a run: the same, and what decides its measures.

    Labels are not among it: those of later are measured and appended. Images that a method was
    told of have no labels.

    >>> run_params(ClusterSettings(method="kmeans", max_silhouette_vectors=100, dbscan={"eps": 1}))
    {'method': 'kmeans', 'max_silhouette_vectors': 100}
    """
    return model_params(settings, "max_silhouette_vectors", "hints")


def params(settings: ClusterSettings, names: Iterable[str]) -> dict[str, Any]:
    """Return settings that are not at their default, of some dotted names below `cluster`."""
    found = settings.model_dump(mode="json", include=_include(names), exclude_defaults=True)
    # A section all of whose chosen settings are at their default is not there.
    return {name: value for name, value in found.items() if value != {}}


def changed_settings(before: dict[str, Any], settings: ClusterSettings) -> tuple[str, ...]:
    """Return the deciding settings that a model was fitted with otherwise, in words.

    Settings that only one of the two knows, because a program of another version wrote it, count
    as unchanged.

    Args:
        before: The column `config` of the model's row.
        settings: Those of now.

    >>> changed_settings({"method": "kmeans", "k": 4}, ClusterSettings(method="kmeans", k=5))
    ('cluster.k was 4, is 5',)
    """
    return tuple(_differences("cluster", before, deciding_settings(settings)))


def _differences(name: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        common = [key for key in before if key in now]
        inner = [_differences(f"{name}.{key}", before[key], now[key]) for key in common]
        return [words for some in inner for words in some]
    return [] if before == now else [f"{name} was {before}, is {now}"]


def _deciding(settings: ClusterSettings) -> set[str]:
    method = find_method(settings.method)
    k = () if method.finds_k else ("k",)
    return {"method", *k, *_ALWAYS, *method.settings}


def _include(names: Iterable[str]) -> dict[str, Any]:
    """Return dotted names as pydantic takes them."""
    nested: dict[str, Any] = {}
    for name in names:
        section, dot, inner = name.partition(".")
        if not dot:
            nested[section] = True
        elif nested.get(section) is not True:
            nested.setdefault(section, {})[inner] = True
    return nested
