"""Merging the small files of many nights: fewer requests and a shorter log for every reader."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pyarrow as pa

from artcluster.config import VacuumSettings
from artcluster.schema import EMBEDDINGS, IMAGES, METADATA, REGIONS, TABLES, Table
from artcluster.stages.progress import Progress
from artcluster.stages.vacuum.cleaning import Cleaning
from artcluster.store import shard_name
from artcluster.store.reader import FileInfo
from artcluster.store.rewrite import replace_files
from artcluster.store.rows import read_rows

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
