"""Embed and cluster large image archives on a Ray cluster, or on one machine."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from artcluster.api import Store, cluster, embed, open, run, update
    from artcluster.estimator import Clusterer
    from artcluster.workflows.clustering.package import Package

__version__ = "0.1.0"

__all__ = [
    "Clusterer",
    "Package",
    "Store",
    "__version__",
    "cluster",
    "embed",
    "open",
    "run",
    "update",
]

_MODULES = {
    "Clusterer": "artcluster.estimator",
    "Package": "artcluster.workflows.clustering.package",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'artcluster' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "artcluster.api")), name)


def __dir__() -> list[str]:
    return __all__
