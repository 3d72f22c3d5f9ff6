"""Files in the tables' folders that are not, or no longer, part of a table."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from urllib.parse import unquote

from artcluster.schema import IMAGES, METADATA, TABLES, Table
from artcluster.stages.vacuum.cleaning import Cleaning
from artcluster.store.blobs import Entry
from artcluster.store.replaced import Note, read_notes
from artcluster.store.shards import is_shard_path

_LEASE_OF = {"embedder_id": "embeddings", "model_id": "model"}


def clean_orphans(cleaning: Cleaning, archives: Collection[str], adopted: Collection[str]) -> None:
    """Remove files that are in no table, once nobody who began before can be reading them.

    What a commit took out of its table goes `keep_files_hours` after that; what was never
    committed, so long after it was written. Where jobs adopt what others wrote, that is found out
    and done under their leases.

    Args:
        cleaning: The cleaning.
        archives: The store's archives.
        adopted: Names of shards that a job will adopt when it goes on with its plan.
    """
    hours = cleaning.config.vacuum.keep_files_hours
    images = tuple(f"images={archive}" for archive in sorted(archives))
    for table in [*TABLES.values(), METADATA]:
        notes = list(read_notes(cleaning.blobs, table.name))
        by_lease: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
        for entry in _orphans(cleaning, table):
            if _shard(entry.path) in adopted:
                cleaning.keep("shards that a job which broke off will go on with")
            elif not cleaning.older(_dated(entry, table, notes), hours=hours):
                cleaning.keep(
                    f"files written, or taken out of their table, in the last {hours:g} h"
                )
            else:
                by_lease[images if table is IMAGES else _leases(entry.path)].append(entry)
        for leases, entries in by_lease.items():
            written = [table] if cleaning.store.table(table).exists() else []
            with cleaning.holding(leases, written) as free:
                if free:
                    _delete(cleaning, table, entries)
        if not cleaning.dry:
            _forget(cleaning, table, notes)


def _orphans(cleaning: Cleaning, table: Table) -> Iterator[Entry]:
    """Yield a table's shards that are not committed; other files lie in its folder, too."""
    listed = list(cleaning.blobs.entries(table.name))
    # Read after the listing: what is committed since is not taken for an orphan.
    committed = set(cleaning.store.table(table).paths())
    for entry in listed:
        below = entry.path.removeprefix(f"{table.name}/")
        if is_shard_path(table, below) and below not in committed:
            yield entry


def _dated(entry: Entry, table: Table, notes: Collection[Note]) -> datetime:
    below = entry.path.removeprefix(f"{table.name}/")
    times = [note.written_at for note in notes if below in note.files]
    return max([entry.modified_at, *times])


def _delete(cleaning: Cleaning, table: Table, entries: Collection[Entry]) -> None:
    """Delete, the leases held, what was not committed before they were."""
    committed = set(cleaning.store.table(table).paths())
    still = [
        entry for entry in entries if entry.path.removeprefix(f"{table.name}/") not in committed
    ]
    cleaning.delete(f"files that are in no table any more ({table.name})", still)


def _forget(cleaning: Cleaning, table: Table, notes: Collection[Note]) -> None:
    """Remove the notes whose files are all deleted, or were never taken out of the table."""
    left = {entry.path.removeprefix(f"{table.name}/") for entry in _orphans(cleaning, table)}
    cleaning.blobs.delete([note.path for note in notes if not left.intersection(note.files)])


def _shard(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".parquet")


def _leases(path: str) -> tuple[str, ...]:
    """Return the leases under which jobs adopt files at a path: its partition's.

    >>> _leases("embeddings/embedder_id=timm%3Avit/ab.parquet")
    ('embeddings=timm:vit',)
    >>> _leases("runs/ab.parquet")
    ()
    """
    column, equals, value = path.split("/")[1].partition("=")
    kind = _LEASE_OF.get(column) if equals else None
    return (f"{kind}={unquote(value)}",) if kind else ()
