"""Files in the tables' folders that are not, or no longer, part of a table."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from urllib.parse import unquote

import pyarrow as pa

from artcluster.config import VacuumSettings
from artcluster.runtime.progress import Progress
from artcluster.schema import EMBEDDINGS, IMAGES, METADATA, REGIONS, TABLES, Table
from artcluster.store import shard_name
from artcluster.store.blobs import Entry
from artcluster.store.delta import checkpoint_log
from artcluster.store.layout import delta_log
from artcluster.store.reader import FileInfo
from artcluster.store.rewrite import read_rows, replace_files
from artcluster.store.shards import Note, is_shard_path, read_notes
from artcluster.workflows.housekeeping.cleaning import Cleaning

_COMMITS = 10


def clean_logs(cleaning: Cleaning) -> None:
    """Write a checkpoint of each table with many commits since the last.

    Entries of the log that a checkpoint replaces go after 30 days, Delta's own term: a reader may
    still be at an older version.
    """
    for name in (*TABLES, METADATA.name):
        entries = {entry.path: entry for entry in cleaning.blobs.entries(delta_log(name))}
        numbers = [_number(path) for path in entries if path.endswith(".json")]
        checkpoints = [_number(path) for path in entries if ".checkpoint" in path]
        since = max(numbers, default=-1) - max(checkpoints, default=-1)
        if since < _COMMITS:
            continue
        cleaning.remove(f"commits of {name}, put together in a checkpoint", since, "commits")
        if not cleaning.dry:
            checkpoint_log(cleaning.store.location, name)
            left = {entry.path for entry in cleaning.blobs.entries(delta_log(name))}
            gone = [entry for path, entry in entries.items() if path not in left]
            size = sum(entry.size_bytes for entry in gone)
            cleaning.remove("entries of logs from before a checkpoint", len(gone), "files", size)


def _number(path: str) -> int:
    name = path.rsplit("/", 1)[-1].split(".", 1)[0]
    return int(name) if name.isdigit() else -1


_READS_AT_ONCE = 16


def merge_small_files(cleaning: Cleaning, progress: Progress) -> None:
    """Merge the small files of every table, a partition at a time.

    Each merge is one commit: a reader finds every row once before it and once after it. The files
    merged lie on for readers of older versions. No lease is needed beside the cleaning's own: the
    commit fails where one of the files is no longer in its table, and what jobs append goes on.
    """
    for table in [*TABLES.values(), METADATA]:
        reader = cleaning.store.table(table)
        present = Table(table.name, reader.schema, table.partition_by)
        partitions: dict[tuple[str, ...], list[FileInfo]] = defaultdict(list)
        for file in reader.file_infos():
            partitions[tuple(file.partition.values())].append(file)
        for files in partitions.values():
            for group in groups(files, cleaning.config.vacuum):
                size = sum(file.size_bytes for file in group)
                cleaning.remove(f"small files of {table.name}, merged", len(group), "files", size)
                if not cleaning.dry:
                    progress.say(f"Merging {len(group):,} small files of {table.name}.")
                    _merge(cleaning, present, group)


def groups(files: Sequence[FileInfo], settings: VacuumSettings) -> list[list[FileInfo]]:
    """Return which files of one partition to merge into one each; none where few are small."""
    small = [file for file in files if file.size_bytes < settings.small_file_bytes]
    if len(small) < settings.merge_files:
        return []
    found: list[list[FileInfo]] = [[]]
    held = 0
    for file in small:
        if found[-1] and held + file.size_bytes > settings.merged_file_bytes:
            found.append([])
            held = 0
        found[-1].append(file)
        held += file.size_bytes
    return [group for group in found if len(group) > 1]


def _merge(cleaning: Cleaning, table: Table, group: Sequence[FileInfo]) -> None:
    paths = [file.path for file in group]
    read = partial(read_rows, cleaning.blobs, table)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        rows = pa.concat_tables(pool.map(read, paths))
    name = shard_name("merged", *paths)
    shard = cleaning.store.shard_writer(table).write(name, rows, group[0].partition)
    replace_files(
        cleaning.store.location,
        table,
        paths,
        [shard],
        cleaning.fences,
        same_rows=True,
        # Jobs that resume look for these tables' shards by name.
        final=table.name in (EMBEDDINGS.name, REGIONS.name, IMAGES.name),
    )


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
