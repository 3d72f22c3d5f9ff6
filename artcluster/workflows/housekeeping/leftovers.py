"""What jobs leave behind: listings, plans, checkpoints, pixels, half-written files."""

import re
from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from artcluster.archive.scan import numbered
from artcluster.store.blobs import Entry
from artcluster.store.layout import (
    CHECKPOINTS,
    CLOCK,
    PIXELS,
    PLANS,
    PRETRAINED,
    SCANS,
    STUDIES,
    Folder,
    delta_log,
)
from artcluster.workflows.housekeeping.cleaning import Cleaning


def clean_listings(cleaning: Cleaning) -> None:
    """Remove each archive's listings but the last complete one, and plans of earlier listings.

    What an interrupted job will resume from stays, and what came after the last listing. So the
    highest number is always there, and numbers count up from it.
    """
    listings = _by_number(cleaning, SCANS)
    plans = _by_number(cleaning, PLANS)
    hours = cleaning.config.vacuum.keep_files_hours
    for archive_id, numbers in sorted(listings.items()):
        complete = [number for number in numbers if _is_complete(numbers[number])]
        needed = {
            numbered("", plan.scan_id).strip("/")
            for plan in cleaning.unfinished
            if plan.archive_id == archive_id
        }
        if needed:
            cleaning.keep("plans that an interrupted job will resume from, and their listings")
        with cleaning.holding([f"images={archive_id}"], []) as free:
            if not free or not complete:
                continue
            for why, found in (
                ("listings before the last", numbers),
                ("plans of listings before the last", plans.get(archive_id, {})),
            ):
                old = [
                    entry
                    for number in sorted(found.keys() - needed)
                    if number < max(complete)
                    # A job that lists for its training holds no lease.
                    and all(cleaning.older(e.modified_at, hours=hours) for e in found[number])
                    for entry in sorted(found[number], key=_json_first)
                ]
                cleaning.delete(why, old)


def _by_number(cleaning: Cleaning, folder: Folder) -> dict[str, dict[str, list[Entry]]]:
    found: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in cleaning.blobs.entries(folder.name):
        archive_id, number, *_ = folder.below(entry.path)
        found[archive_id][number].append(entry)
    return found


def _is_complete(entries: Collection[Entry]) -> bool:
    return any(entry.path.endswith("/scan.json") for entry in entries)


def _json_first(entry: Entry) -> tuple[bool, str]:
    """Order files for deletion: without its JSON what is left of a folder counts for nothing."""
    return not entry.path.endswith(".json"), entry.path


_HALF_WRITTEN = re.compile(r".*#\d+")
"""How a file is called while it is written on a local disk; listings leave these out."""


_OF_VECTORS = ("autoencoder-", "dec-")
"""How checkpoints of training that reads no pixels are called."""


def clean_training(cleaning: Cleaning) -> None:
    """Remove checkpoints and pixels that no training has touched for long, or that are done with.

    A checkpoint is done with once what it led to lies in `pretrained/`, or among a study's parts.
    """
    settings = cleaning.config.vacuum
    hours, days = settings.keep_files_hours, settings.keep_unfinished_days
    kept = [*cleaning.store.list(PRETRAINED.name), *cleaning.store.list(STUDIES.name)]
    done = {path.rsplit("/", 1)[1].rsplit(".", 1)[0] for path in kept}
    training = False
    for name, entries in cleaning.folders(CHECKPOINTS).items():
        last = max(entry.modified_at for entry in entries)
        if name in done and cleaning.older(last, hours=hours):
            cleaning.delete("checkpoints of finished training", entries)
        elif cleaning.older(last, days=days):
            cleaning.delete(f"checkpoints that no job went on from for {days:g} days", entries)
        else:
            cleaning.keep(f"checkpoints that training may go on from, for {days:g} days")
            training = training or (name not in done and not name.startswith(_OF_VECTORS))
    for entries in cleaning.folders(PIXELS).values():
        last = max(entry.modified_at for entry in entries)
        if training or not cleaning.older(last, days=days):
            cleaning.keep(f"pixels that training may read, for {days:g} days")
        else:
            # Their lists first: without them they are decoded again.
            ordered = sorted(entries, key=lambda entry: not entry.path.endswith(".json"))
            cleaning.delete("decoded pixels of finished training", ordered)


def clean_half_written(cleaning: Cleaning) -> None:
    """Remove files that a killed job, or a full disk, left half-written.

    On object storage there are none that a listing shows; a rule of the bucket for incomplete
    uploads removes the rest.
    """
    hours = cleaning.config.vacuum.keep_files_hours
    found = [
        entry
        for entry in cleaning.blobs.entries("")
        if entry.path.startswith(CLOCK.path(""))
        or (delta_log("") in entry.path and entry.path.endswith(".tmp"))
    ]
    if cleaning.store.location.is_local:
        root = Path(cleaning.store.location.uri)
        for file in root.rglob("*#*"):
            if _HALF_WRITTEN.fullmatch(file.name) and file.is_file():
                seen = file.stat()
                modified_at = datetime.fromtimestamp(seen.st_mtime, UTC)
                path = file.relative_to(root).as_posix()
                found.append(Entry(path, seen.st_size, modified_at))
    old = [entry for entry in found if cleaning.older(entry.modified_at, hours=hours)]
    cleaning.remove("files half-written by killed jobs", len(old), "files", _bytes(old))
    if not cleaning.dry:
        for entry in old:
            if _HALF_WRITTEN.fullmatch(entry.path):
                Path(cleaning.store.location.uri, entry.path).unlink(missing_ok=True)
            else:
                cleaning.blobs.delete([entry.path])


def _bytes(entries: list[Entry]) -> int:
    return sum(entry.size_bytes for entry in entries)
