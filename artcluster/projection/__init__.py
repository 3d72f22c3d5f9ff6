"""2-D maps: vectors laid out on a plane so that neighbours stay neighbours."""

from collections.abc import Callable

from artcluster.projection.layout import Layout, LayoutSettings

__all__ = ["LAYOUTS", "Layout", "LayoutSettings", "make_layout"]


def _tsne(settings: LayoutSettings) -> Layout:
    from artcluster.projection.methods import Tsne

    return Tsne(settings)


def _umap(settings: LayoutSettings) -> Layout:
    from artcluster.projection.methods import Umap

    return Umap(settings)


LAYOUTS: dict[str, Callable[[LayoutSettings], Layout]] = {"tsne": _tsne, "umap": _umap}


def make_layout(method: str, settings: LayoutSettings) -> Layout:
    """Return the method of a name.

    Raises:
        ValueError: There is none of that name, or the package it needs is not installed.
    """
    if method not in LAYOUTS:
        raise ValueError(f"method: expected one of {sorted(LAYOUTS)}, got {method!r}.")
    try:
        return LAYOUTS[method](settings)
    except ModuleNotFoundError as missing:
        raise ValueError(
            f"method: {method!r} needs the package {missing.name!r}, which is not installed: "
            f"pip install 'artcluster[{method}]'."
        ) from missing
