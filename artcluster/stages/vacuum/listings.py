"""Listings and plans of past nights: of each archive only the last are ever read again."""

from collections import defaultdict
from collections.abc import Collection

from artcluster.archive.numbering import numbered
from artcluster.archive.plan import Plan
from artcluster.stages.vacuum.cleaning import Cleaning
from artcluster.store.blobs import Entry


def clean_listings(cleaning: Cleaning, unfinished: Collection[Plan]) -> None:
    """Remove each archive's listings but the last complete one, and plans of earlier listings.

    What a job that broke off will go on with stays, and what came after the last listing. So the
    highest number is always there, and numbers go on from it.

    Args:
        cleaning: The cleaning.
        unfinished: Plans that the same command would go on with.
    """
    listings = _by_number(cleaning, "scans")
    plans = _by_number(cleaning, "plans")
    hours = cleaning.config.vacuum.keep_files_hours
    for archive_id, numbers in sorted(listings.items()):
        complete = [number for number in numbers if _is_complete(numbers[number])]
        needed = {
            numbered("", plan.scan_id).strip("/")
            for plan in unfinished
            if plan.archive_id == archive_id
        }
        if needed:
            cleaning.keep("plans that a job which broke off will go on with, and their listings")
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


def _by_number(cleaning: Cleaning, room: str) -> dict[str, dict[str, list[Entry]]]:
    found: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in cleaning.blobs.entries(room):
        _, archive_id, number, *_ = entry.path.split("/")
        found[archive_id][number].append(entry)
    return found


def _is_complete(entries: Collection[Entry]) -> bool:
    return any(entry.path.endswith("/scan.json") for entry in entries)


def _json_first(entry: Entry) -> tuple[bool, str]:
    """Order files for deletion: without its JSON what is left of a folder counts for nothing."""
    return not entry.path.endswith(".json"), entry.path
