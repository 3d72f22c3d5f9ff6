"""From a section of the config to what numeric code takes: by name, each default stated once."""

from dataclasses import fields
from typing import Any, TypeVar

from artcluster.config.base import Settings

T = TypeVar("T")


def from_settings(kind: type[T], settings: Settings, **others: Any) -> T:
    """Return a dataclass whose fields have the settings of their names, and others.

    A field that can be set has no default of its own: one that no setting fills any more is a
    TypeError.

    Args:
        kind: The dataclass.
        others: Fields that are not settings, or overrule them.

    >>> from dataclasses import dataclass
    >>> from artcluster.config import HdbscanSettings
    >>> @dataclass
    ... class Density:
    ...     min_samples: int
    ...     seed: int
    >>> from_settings(Density, HdbscanSettings(min_samples=4), seed=1)
    Density(min_samples=4, seed=1)
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    known = {name: getattr(settings, name) for name in type(settings).model_fields if name in names}
    return kind(**(known | others))
