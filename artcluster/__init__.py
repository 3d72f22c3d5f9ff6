"""Embed and cluster large image archives on a Ray cluster, or on one machine."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from artcluster.estimator import Clusterer
    from artcluster.workflows.clustering.package import Package

__version__ = "0.1.0"


__all__ = ["Clusterer", "Package", "__version__"]


_HOMES = {"Clusterer": "artcluster.estimator", "Package": "artcluster.workflows.clustering.package"}


def __getattr__(name: str) -> Any:
    """Import what needs torch only where it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'artcluster' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
