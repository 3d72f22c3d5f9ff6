"""2-D maps: vectors laid out on a plane so that neighbours stay neighbours.

To add a method, write a module with a class of the protocol `Layout` and add a record to `LAYOUTS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from artcluster.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from artcluster.projection.layout import Layout, LayoutSettings


@dataclass(frozen=True)
class LayoutMethod:
    """A method of laying vectors out.

    Attributes:
        package: The package of others that computes it; its version is recorded with a map.
    """

    module: str
    layout: str
    package: str


LAYOUTS = {
    "tsne": LayoutMethod("tsne", "Tsne", "openTSNE"),
    "umap": LayoutMethod("umap", "Umap", "umap-learn"),
}


def make_layout(method: str, settings: LayoutSettings) -> Layout:
    """Return the method of a name.

    Raises:
        UsageError: There is none of that name, or the package it needs is not installed.
    """
    check_layout(method)
    record = LAYOUTS[method]
    try:
        module = import_module(f"{__name__}.{record.module}")
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"map.method: {method!r} needs the package {missing.name!r}, which is not installed: "
            f"pip install 'artcluster[{method}]'."
        ) from missing
    layout: Layout = getattr(module, record.layout)(settings)
    return layout


def check_layout(method: str) -> None:
    """Make sure that there is a method.

    Raises:
        UsageError: There is none of that name.

    >>> check_layout("tsme")
    Traceback (most recent call last):
    artcluster.errors.UsageError: map.method: expected one of tsne, umap, got 'tsme' (did you mean \
'tsne'?)
    """
    if method not in LAYOUTS:
        raise UsageError(
            f"map.method: expected one of {', '.join(LAYOUTS)}, got {method!r}"
            f"{did_you_mean(method, LAYOUTS)}"
        )
