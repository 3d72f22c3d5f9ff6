"""The tables' logs: a checkpoint to open them by, and away with what came long before it."""

from artcluster.schema import METADATA, TABLES
from artcluster.stages.vacuum.cleaning import Cleaning
from artcluster.store.delta import checkpoint_log

_COMMITS = 10


def clean_logs(cleaning: Cleaning) -> None:
    """Write a checkpoint of each table with many commits since the last.

    Entries of the log that a checkpoint replaces go after 30 days, Delta's own term: a reader may
    still be at an older version.
    """
    for name in (*TABLES, METADATA.name):
        entries = {entry.path: entry for entry in cleaning.blobs.entries(f"{name}/_delta_log")}
        numbers = [_number(path) for path in entries if path.endswith(".json")]
        checkpoints = [_number(path) for path in entries if ".checkpoint" in path]
        since = max(numbers, default=-1) - max(checkpoints, default=-1)
        if since < _COMMITS:
            continue
        cleaning.remove(f"commits of {name}, put together in a checkpoint", since, "commits")
        if not cleaning.dry:
            checkpoint_log(cleaning.store.location, name)
            left = {entry.path for entry in cleaning.blobs.entries(f"{name}/_delta_log")}
            gone = [entry for path, entry in entries.items() if path not in left]
            size = sum(entry.size_bytes for entry in gone)
            cleaning.remove("entries of logs from before a checkpoint", len(gone), "files", size)


def _number(path: str) -> int:
    name = path.rsplit("/", 1)[-1].split(".", 1)[0]
    return int(name) if name.isdigit() else -1
