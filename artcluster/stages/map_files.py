"""Where a model's map lies, which later images are placed in."""

MAPS = "maps"
"""The folder in a store."""


def map_path(model_id: str) -> str:
    """Return the file of a model's map, relative to the store.

    >>> map_path("kmeans-ab12")
    'maps/kmeans-ab12.safetensors'
    """
    return f"{MAPS}/{model_id}.safetensors"
