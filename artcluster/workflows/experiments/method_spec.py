"""What is to be tried: a method, the vectors it is given, and settings of its own."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from artcluster.config import Config, load_config
from artcluster.errors import UsageError
from artcluster.workflows.clustering.methods import METHODS


@dataclass(frozen=True)
class MethodSpec:
    """A method to try.

    Attributes:
        name: As it was asked for, such as `kmeans@color-histogram`.
        backbone: Whose vectors; None for those of the archive.
        settings: Of the section `cluster`, by dotted name.
    """

    name: str
    method: str
    backbone: str | None = None
    settings: tuple[tuple[str, Any], ...] = field(default=())

    def config(self, base: Config, preset: "Preset", k: int, seed: int) -> Config:
        """Return the config of a fit: base, preset of the method, own settings, k and seed.

        Raises:
            UsageError: A setting is wrong.
        """
        flags = dict(preset.settings(self.method))
        # The base names them as they lie in the store.
        flags.pop("cluster.hints", None)
        flags |= {f"cluster.{name}": value for name, value in self.settings}
        flags |= {"cluster.method": self.method, "cluster.k": k, "cluster.seed": seed}
        return load_config(flags=flags, base=base.model_dump())


def parse_method(text: str) -> MethodSpec:
    """Read `METHOD[@BACKBONE][+SETTING=VALUE]…`.

    Raises:
        UsageError: It is not so, or there is no such method.

    >>> parse_method("kmeans@random:cae+scaling=unit")
    MethodSpec(name='kmeans@random:cae+scaling=unit', method='kmeans', backbone='random:cae', \
settings=(('scaling', 'unit'),))
    """
    head, *given = text.strip().split("+")
    method, at, backbone = head.partition("@")
    if method not in METHODS or (at and not backbone):
        raise UsageError(
            f"--methods: expected METHOD, METHOD@BACKBONE or METHOD+SETTING=VALUE with a method of "
            f"{', '.join(METHODS)}, got {text!r}"
        )
    settings = []
    for setting in given:
        name, equals, value = setting.partition("=")
        if not equals or name in ("method", "k", "seed", "labels"):
            raise UsageError(
                f"--methods: expected a setting of the section `cluster` such as "
                f"kmeans+scaling=unit, got {setting!r}"
            )
        try:
            settings.append((name, yaml.safe_load(value)))
        except yaml.YAMLError as wrong:
            raise UsageError(f"--methods: {setting!r} has no value in YAML: {wrong}") from None
    return MethodSpec(text.strip(), method, backbone or None, tuple(settings))


def parse_methods(text: str) -> list[MethodSpec]:
    """Read methods that commas divide, each once."""
    return [parse_method(each) for each in dict.fromkeys(text.split(",")) if each.strip()]


@dataclass(frozen=True)
class Preset:
    """A folder with a YAML file a method, such as examples/small; None for none.

    What is asked of all methods on the command line (`given`, dotted names) is stronger.
    """

    folder: Path | None = None
    given: tuple[tuple[str, Any], ...] = ()

    def settings(self, method: str) -> dict[str, Any]:
        """Return a method's settings by dotted name, without backbone, method and k.

        Raises:
            UsageError: The file is no config.
        """
        flags: dict[str, Any] = {}
        file = None if self.folder is None else self.folder / f"{method}.yaml"
        if file is not None and file.exists():
            set_there = load_config(file).model_dump(exclude_unset=True)
            for section in ("embed", "cluster"):
                flags |= _dotted(section, set_there.get(section, {}))
            for name in ("embed.backbone", "cluster.method", "cluster.k"):
                flags.pop(name, None)
        return flags | dict(self.given)

    def facts(self) -> str:
        """Return what it says, to be told."""
        return json.dumps(None if self.folder is None else self.folder.name)


def _dotted(name: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        return {name: values}
    return {
        inner: value
        for key, below in values.items()
        for inner, value in _dotted(f"{name}.{key}", below).items()
    }


def parse_numbers(text: str, option: str) -> list[int]:
    """Read `2:10` (both ends count), `2,4,8`, or both.

    Raises:
        UsageError: It is not so.

    >>> parse_numbers("2:4,8", "--k")
    [2, 3, 4, 8]
    """
    numbers: set[int] = set()
    for part in text.split(","):
        first, colon, last = part.strip().partition(":")
        if not first.isdigit() or (colon and not last.isdigit()):
            raise UsageError(f"{option}: expected numbers such as 2:10 or 2,4,8, got {text!r}")
        numbers |= set(range(int(first), int(last or first) + 1))
    if not numbers:
        raise UsageError(f"{option}: {text!r} is an empty range")
    return sorted(numbers)
