"""The settings of an archive that its next update reuses."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.store import Store
from artcluster.store.layout import ARCHIVES
from artcluster.workflows.archives import Archive, resolve_archive
from artcluster.workflows.runs import find_run, read_runs

_OF_IMAGES = ("archive", "metadata", "images")
_OF_RUNS = ("cluster", "update")

_FOR_ONCE = {"archive": "max_removed_share", "metadata": "max_lost_share"}
"""Not reused: a loss that was allowed once is not allowed for ever."""


def record_settings(store: Store, archive: Archive, config: Config) -> None:
    """Write down how an archive is listed, decoded and joined to its metadata."""
    public: Mapping[str, Any] = config.public()
    settings = {section: public[section] for section in _OF_IMAGES}
    text = json.dumps({"listed": _listed(archive), "settings": settings}, indent=1).encode()
    path = _path(archive.archive_id)
    if not store.exists(path) or store.read_bytes(path) != text:
        store.write_bytes(path, text)


def listed_images(store: Store, archive_id: str) -> str:
    """Return where an archive was listed last: a place, or a glob.

    Raises:
        UsageError: The store does not know.
    """
    if not store.exists(_path(archive_id)):
        raise UsageError(f"the store does not know where {archive_id!r} is: name its images")
    place, pattern = json.loads(store.read_bytes(_path(archive_id)))["listed"]
    return str(place) if pattern is None else f"{place.rstrip('/')}/{pattern}"


def inherited_settings(
    store: Store, images: str, config: Config, run_id: str | None = None
) -> dict[str, Any]:
    """Return settings, as a config file has them, of an archive's last embedding and of a run.

    Settings that this version of the program does not know are left out.

    Args:
        images: Where the archive is.
        config: Settings given now, with the options to read it.
        run_id: Run to take them of (default: the archive's last).

    Raises:
        UsageError: There is no such run.
    """
    archive = resolve_archive(images, config)
    archive_id = archive.archive_id
    if config.archive.id is None and not store.exists(_path(archive_id)):
        # An archive that was given a name is found by where it lies.
        archive_id = _named(store, archive) or archive_id
    found: dict[str, Any] = {}
    if store.exists(_path(archive_id)):
        found |= json.loads(store.read_bytes(_path(archive_id)))["settings"]
        for section, setting in _FOR_ONCE.items():
            found[section].pop(setting, None)
    runs = read_runs(store, archive_id)
    if runs or run_id is not None:
        run = find_run(runs, run_id)
        found |= {section: run.config[section] for section in _OF_RUNS if section in run.config}
    return _known(Config, found)


def _named(store: Store, archive: Archive) -> str | None:
    for path in store.list(ARCHIVES.name):
        if json.loads(store.read_bytes(path))["listed"] == _listed(archive):
            return ARCHIVES.below(path)[0]
    return None


def _listed(archive: Archive) -> list[str | None]:
    return [str(archive.location), archive.pattern]


def _known(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in values.items():
        if name in model.model_fields:
            section = model.model_fields[name].annotation
            is_section = isinstance(section, type) and issubclass(section, BaseModel)
            kept[name] = _known(section, value) if is_section else value  # type: ignore[arg-type]
    return kept


def _path(archive_id: str) -> str:
    return ARCHIVES.path(archive_id, "settings.json")
