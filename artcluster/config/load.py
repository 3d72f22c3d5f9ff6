"""Loading a config: YAML, then `a.b=c` overrides, then flags; an error names the field."""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from artcluster.config.config import Config
from artcluster.errors import UsageError, did_you_mean


def load_config(
    path: str | Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    base: Mapping[str, Any] | None = None,
) -> Config:
    """Return the resolved config.

    Args:
        path: A YAML file with the sections of `Config`, or None.
        overrides: `section.field=value` strings; values are read as YAML.
        flags: Dotted names to values, from command-line flags; None values are left out.
        base: Sections that all of these override, such as those of a run before.

    Raises:
        UsageError: The file, an override or a value is not as expected; names the field.

    >>> load_config(overrides=["cluster.k=5"]).cluster.k
    5
    >>> load_config(overrides=["cluster.k=many"])
    Traceback (most recent call last):
    ...
    artcluster.errors.UsageError: cluster.k: Input should be a valid integer, unable to parse \
string as an integer (got 'many')
    """
    values = _over(base or {}, _read_yaml(Path(path)) if path is not None else {})
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals or not name:
            raise UsageError(f"--set expects section.field=value, got {override!r}")
        try:
            _put(values, name, yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise UsageError(f"--set {name}: {text!r} is not a value in YAML: {error}") from None
    for name, value in (flags or {}).items():
        if value is not None:
            _put(values, name, value)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UsageError(_explain(error)) from None


def given_over(base: Mapping[str, Any], config: Config) -> Config:
    """Return a config of base, overridden by what was given for another; defaults are not.

    Raises:
        UsageError: A value of base is not as expected; names the field.

    >>> given_over({"cluster": {"k": 5, "seed": 1}}, load_config(flags={"cluster.k": 3})).cluster.k
    3
    """
    return load_config(base=_over(base, config.model_dump(exclude_unset=True)))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"config {path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"config {path} is not YAML: {error}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UsageError(f"config {path}: expected sections such as `embed:`, got {loaded!r:.80}")
    return loaded


def _over(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return base with values laid over it, section by section."""
    laid = dict(base)
    for name, value in values.items():
        below = laid.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        laid[name] = _over(below, value) if both and below is not None else value
    return laid


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    *sections, field = name.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{name}: {section!r} is not a section of the config")
        values = inner
    values[field] = value


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"]) or "config"
        if problem["type"] == "extra_forbidden":
            *section, name = problem["loc"]
            lines.append(f"{field}: no such setting{_choices(section, str(name))}")
        elif problem["type"] == "literal_error":
            lines.append(f"{field}: {_expected(problem)}")
        elif "options" in problem["loc"]:
            lines.append(f"{field}: {problem['msg']}")
        else:
            lines.append(f"{field}: {problem['msg']} (got {problem['input']!r:.80})")
    return "\n".join(lines)


def _choices(section: Sequence[int | str], wanted: str) -> str:
    model: Any = Config
    for name in section:
        model = model.model_fields[name].annotation
    where = f"settings of {'.'.join(map(str, section))}" if section else "sections"
    known = list(model.model_fields)
    return f"{did_you_mean(wanted, known)}; {where} are {', '.join(known)}"


def _expected(problem: Any) -> str:
    """Return what is wrong with one of several words."""
    known, wanted = problem["ctx"]["expected"].replace(" or ", ", "), problem["input"]
    words = [str(word) for word in ast.literal_eval(f"[{known}]")]
    return f"unknown value {wanted!r}{did_you_mean(str(wanted), words)}; choose one of {known}"
