"""The settings that decide a model, and which of them are other than a model was fitted with."""

import json
from typing import Any

import pyarrow.compute as pc

from artcluster.config import Config
from artcluster.schema import MODELS
from artcluster.store import Store


def model_settings(config: Config) -> dict[str, Any]:
    """Return the settings that decide a model."""
    return config.cluster.model_dump(mode="json", exclude={"labels", "workers", "use_gpu"})


def changed_settings(store: Store, model_id: str, config: Config) -> tuple[str, ...]:
    """Return the settings that a stored model was fitted with otherwise, in words.

    Settings that only one of the two knows, because a program of another version wrote it, count
    as unchanged.
    """
    rows = store.table(MODELS).read(["config"], pc.field("model_id") == model_id)
    before: dict[str, Any] = json.loads(rows["config"][0].as_py())
    return tuple(_differences("cluster", before, model_settings(config)))


def _differences(name: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        common = [key for key in before if key in now]
        inner = [_differences(f"{name}.{key}", before[key], now[key]) for key in common]
        return [words for some in inner for words in some]
    return [] if before == now else [f"{name} was {before}, is {now}"]
