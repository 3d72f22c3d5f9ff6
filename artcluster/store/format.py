"""store.json: what makes a folder a store, and states the version of its format."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from artcluster import __version__
from artcluster.errors import NoStoreError, StoreError
from artcluster.location import Location
from artcluster.schema import FORMAT_VERSION
from artcluster.store.blobs import Blobs
from artcluster.store.layout import MARK

OVERLOOKED = {".DS_Store", "Thumbs.db", "desktop.ini", ".directory", "lost+found"}


@dataclass(frozen=True)
class Mark:
    """What store.json says."""

    store_id: str
    format_version: int


def _no_migration(location: Location, mark: Mark) -> None:
    raise StoreError(
        f"The store {location} has the format {mark.format_version}, which this version of "
        f"artcluster no longer reads (it reads {FORMAT_VERSION})."
    )


MIGRATIONS: dict[int, Callable[[Location, Mark], None]] = {}
"""Format version → what brings a store of it to the next version; run when a store is opened.

A migration only adds (columns, files), may be interrupted and run again, and need not rewrite
store.json: `open_mark` does so after it."""


def open_mark(location: Location, *, create: bool) -> Mark:
    """Read a store's mark, or make a new store of an empty place.

    Two who create a store at once agree on one: the mark is put only if absent.

    Raises:
        StoreError: The place is no store, holds other things, or has a newer format.
    """
    if location.is_local:
        _check_local(location, create=create)
    blobs = Blobs(location)
    if create and location.is_local:
        location.objects(create=True)
    text = blobs.read_if_exists(MARK)
    if text is None and create:
        others = _other_things(blobs)
        if others and blobs.read_if_exists(MARK) is None:
            raise NoStoreError(
                f"{location} is not a store and is not empty ({', '.join(others)}, …). A store "
                "needs a folder of its own: name one that is empty or does not exist yet."
            )
        blobs.write_if_absent(MARK, _new_mark())
        text = blobs.read(MARK)
    if text is None:
        raise NoStoreError(
            f"{location} is not a store: it has no {MARK}. Check the path; `artcluster run IMAGES "
            "STORE` and `artcluster embed IMAGES STORE` make a new store."
        )
    return _migrated(blobs, _parsed(location, text))


def _check_local(location: Location, *, create: bool) -> None:
    path = Path(location.uri)
    location.delta_uri()
    if path.exists() and not path.is_dir():
        raise NoStoreError(f"A store is a folder, but {location} is a file.")
    if not path.exists() and not create:
        raise NoStoreError(f"There is no store at {location}: no such folder.")


def _other_things(blobs: Blobs) -> list[str]:
    """Return the first few names that lie in a place."""
    found: list[str] = []
    for path in blobs.list(""):
        name = path.split("/", 1)[0]
        if name not in OVERLOOKED and name not in found:
            found.append(name)
        if len(found) == 3:
            break
    return found


def _new_mark() -> bytes:
    fields = {
        "format": "artcluster store",
        "format_version": FORMAT_VERSION,
        "store_id": uuid4().hex,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "created_by": f"artcluster {__version__}",
    }
    return json.dumps(fields, indent=2).encode() + b"\n"


def _parsed(location: Location, text: bytes) -> Mark:
    try:
        fields = json.loads(text)
        mark = Mark(str(fields["store_id"]), int(fields["format_version"]))
    except (ValueError, KeyError, TypeError) as wrong:
        raise StoreError(
            f"{MARK} in {location} is not readable ({wrong!r}). If this is a store, bring the file "
            "back from a backup; its store_id and format_version must be as they were."
        ) from None
    if mark.format_version > FORMAT_VERSION:
        raise StoreError(
            f"The store {location} has the format {mark.format_version}, but this version of "
            f"artcluster ({__version__}) knows formats up to {FORMAT_VERSION}. Upgrade artcluster."
        )
    return mark


def _migrated(blobs: Blobs, mark: Mark) -> Mark:
    while mark.format_version < FORMAT_VERSION:
        MIGRATIONS.get(mark.format_version, _no_migration)(blobs.location, mark)
        mark = Mark(mark.store_id, mark.format_version + 1)
        fields = json.loads(blobs.read(MARK))
        fields["format_version"] = mark.format_version
        blobs.write(MARK, json.dumps(fields, indent=2).encode() + b"\n")
    return mark
