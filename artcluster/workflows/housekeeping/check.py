"""Checking that every file of a store is whole, and taking out what is not."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from artcluster.embedders.faces import finds_faces
from artcluster.errors import ArtclusterError, StoreError
from artcluster.runtime.progress import Progress
from artcluster.schema import METADATA, MODELS, TABLES, Table
from artcluster.store import Fence, Store
from artcluster.store.blobs import Blobs
from artcluster.store.delta import open_table
from artcluster.store.layout import (
    ARCHIVES,
    LEASES,
    PLANS,
    SCANS,
    contract_by_settings,
    delta_log,
    replaced,
)
from artcluster.store.reader import FileInfo
from artcluster.store.rewrite import remove_rows, replace_files
from artcluster.store.views import duckdb_connection
from artcluster.workflows.clustering.assignments import load_model
from artcluster.workflows.runs import Run, read_runs, what_is_missing

_READS_AT_ONCE = 8
_LEASE_WAIT_S = 75.0
"""Longer than a lease holds: that of a machine that died falls free meanwhile."""

_BY_PEOPLE = "what people entered is lost, unless a backup has the file"

_COSTS = {
    "images": "its pictures are listed and hashed again by the next embed, run or update",
    "embeddings": "its pictures are embedded again by the next embed, run or update",
    "regions": "faces are looked for again by the next embed, run or update",
    "metadata": "the metadata is joined again by the next job that is given its file",
    "assignments": "its pictures are assigned again by the same `cluster`, `run` or `update`",
    "runs": "its runs are recorded again by the same commands, as soon as their results are found",
    "clusters": "the run's sizes and medoids are measured again by the same `cluster` or `run`",
    "projections": "`artcluster map` computes it again",
    "cluster_names": _BY_PEOPLE,
    "edits": _BY_PEOPLE,
}

_COST = "the command that made it makes it again"


@dataclass(frozen=True)
class Damage:
    """One file that is missing or not what was written.

    Attributes:
        path: The file, relative to the store.
        problem: What is wrong with it.
        cost: What taking it out costs; why it cannot be taken out where `repairable` is false.
        repairable: Whether `repair` takes it out.
    """

    path: str
    problem: str
    cost: str
    repairable: bool = True


@dataclass(frozen=True)
class CheckSummary:
    """What a check found.

    Attributes:
        files: Files checked.
        size_bytes: Their bytes.
        damages: Files that are missing or not whole.
        incomplete: Runs and archives that lack something, and what; the next jobs make it.
        repaired: Whether the damaged files were taken out.
    """

    files: int
    size_bytes: int
    damages: tuple[Damage, ...]
    incomplete: dict[str, str]
    repaired: bool


_Repair = Callable[[Sequence[Fence]], object]
"""Takes one file out, under the fences of whoever repairs."""


@dataclass
class _Check:
    store: Store
    quick: bool
    files: int = 0
    size_bytes: int = 0
    found: list[tuple[Damage, _Repair]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.blobs = Blobs(self.store.location)

    def note(self, damage: Damage, repair: _Repair = lambda _: None) -> None:
        self.found.append((damage, repair))

    def delete(self, path: str) -> _Repair:
        return lambda _: self.blobs.delete([path])


def check_store(
    store: Store, progress: Progress, *, repair: bool = False, quick: bool = False
) -> CheckSummary:
    """Check that every file that a store names is there and whole.

    Files of tables are compared with the tables' logs in size and rows, and read through: pages
    written by this version carry checksums.

    Args:
        repair: Take damaged files out, so that the next jobs make them again. Nothing that is
            whole is removed.
        quick: Compare sizes only; read nothing but small files.

    Raises:
        LeaseHeldError: To be repaired, and a vacuum or another repair is at work.
    """
    progress.say("Checking the tables' logs.")
    logs = _Check(store, quick)
    broken = [table for table in (*TABLES.values(), METADATA) if not _check_log(logs, table)]
    if repair and logs.found:
        with store.lease("vacuum", wait_s=_LEASE_WAIT_S):
            for _, mend in logs.found:
                mend(())
        broken = [table for table in broken if _opening_problem(store, table)]
    whole = [table for table in (*TABLES.values(), METADATA) if table not in broken]
    check = _Check(store, quick, logs.files, logs.size_bytes)
    for table in whole:
        progress.say(f"Checking the files of {table.name}.")
        _check_files(check, table)
    progress.say("Checking models and small files.")
    if MODELS in whole:
        _check_models(check)
    _check_small_files(check)
    if repair and check.found:
        written = [table for table in whole if store.table(table).exists()]
        with store.lease("vacuum", written, wait_s=_LEASE_WAIT_S) as lease:
            for _, mend in check.found:
                mend([lease.fence])
    damages = tuple(damage for damage, _ in (*logs.found, *check.found))
    left = {damage.path.split("/")[0] for damage in damages if not (repair and damage.repairable)}
    incomplete = {} if left & {*TABLES} else _incomplete(store)
    return CheckSummary(check.files, check.size_bytes, damages, incomplete, repair)


def _incomplete(store: Store) -> dict[str, str]:
    found = {run.run_id: what_is_missing(store, run) for run in read_runs(store)}
    incomplete = {f"run {run_id}": missing for run_id, missing in found.items() if missing}
    for run in {run.archive_id: run for run in read_runs(store)}.values():
        if missing := _without_vectors(store, run):
            lacks = f"vectors of {missing:,} images by {run.embedder_id}"
            incomplete[f"archive {run.archive_id}"] = lacks
    return incomplete


def _without_vectors(store: Store, run: Run) -> int:
    """Count the images of an archive, as it is now, that its last run's embedder lacks."""
    if finds_faces(run.embedder_id):
        return 0
    with duckdb_connection(store, ["current_images", "embeddings"]) as tables:
        ((count,),) = tables.execute(
            "select count(distinct content_id) from current_images anti join "
            "(select content_id from embeddings where embedder_id = ?) using (content_id) "
            "where archive_id = ? and status = 'ok'",
            [run.embedder_id, run.archive_id],
        ).fetchall()
    return int(count)


def _opening_problem(store: Store, table: Table) -> str:
    try:
        open_table(store.location, table.name)
    except StoreError as wrong:
        return str(wrong)
    return ""


def _check_log(check: _Check, table: Table) -> bool:
    """Check a table's log; return whether the table can be opened."""
    folder = delta_log(table.name)
    sizes = dict(check.blobs.list_sizes(folder))
    commits = sorted(path for path in sizes if path.endswith(".json"))
    for path in commits:
        check.files += 1
        check.size_bytes += sizes[path]
        problem = _commit_problem(check.blobs.read(path))
        if problem and path == commits[-1]:
            cost = "that commit is undone: what it added is found again, or made again"
            check.note(Damage(path, problem, cost), check.delete(path))
        elif problem:
            cost = "commits after it build on it: bring it back from a backup"
            check.note(Damage(path, problem, cost, repairable=False))
    problem = _opening_problem(check.store, table)
    if problem and not any(damage.path.startswith(folder) for damage, _ in check.found):
        check.note(Damage(folder, problem, "bring it back from a backup", repairable=False))
    return not problem


def _commit_problem(text: bytes) -> str:
    try:
        actions = [json.loads(line) for line in text.splitlines()]
    except ValueError as wrong:
        return f"is cut or altered ({wrong})"
    return "" if actions else "is empty"


def _check_files(check: _Check, table: Table) -> None:
    reader = check.store.table(table)
    infos = reader.file_infos()
    sizes = dict(check.blobs.list_sizes(table.name)) if infos else {}
    problem = partial(_file_problem, check, table.name, sizes)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        for info, wrong in zip(infos, pool.map(problem, infos), strict=True):
            check.files += 1
            check.size_bytes += info.size_bytes
            if wrong:
                path = f"{table.name}/{info.path}"
                cost = _COSTS.get(table.name, _COST)
                mend = partial(
                    _take_out, check, Table(table.name, reader.schema, table.partition_by)
                )
                check.note(Damage(path, wrong, cost), partial(mend, info.path))


def _file_problem(check: _Check, table: str, sizes: dict[str, int], info: FileInfo) -> str:
    """Return what is wrong with a file of a table; '' where nothing is."""
    path = f"{table}/{info.path}"
    if path not in sizes:
        return "is missing"
    if sizes[path] != info.size_bytes:
        return f"has {sizes[path]:,} bytes, not {info.size_bytes:,}"
    if check.quick:
        return ""
    try:
        data = pa.BufferReader(check.blobs.read(path))
        with pq.ParquetFile(data, page_checksum_verification=True) as file:
            rows = sum(batch.num_rows for batch in file.iter_batches())
    except (pa.ArrowException, OSError, StoreError) as wrong:
        return f"is not readable: {str(wrong).splitlines()[0]}"
    return "" if rows == info.rows else f"has {rows:,} rows, not {info.rows:,}"


def _take_out(check: _Check, table: Table, path: str, fences: Sequence[Fence]) -> None:
    """Take a file out of its table, then delete it: its name will be written again."""
    place = check.store.location
    if replace_files(place, table, [path], [], fences, same_rows=False, final=False):
        check.blobs.delete([f"{table.name}/{path}"])


def _check_models(check: _Check) -> None:
    for row in check.store.table(MODELS).read(["model_id", "path"]).to_pylist():
        model_id = row["model_id"]
        files = list(check.blobs.list_sizes(row["path"]))
        check.files += len(files)
        check.size_bytes += sum(size for _, size in files)
        try:
            load_model(check.store, model_id)
        except (ArtclusterError, ValueError, KeyError, TypeError, OSError) as wrong:
            reason = f"{type(wrong).__name__}: {wrong}".splitlines()[0]
            damage = Damage(row["path"], f"the model cannot be read: {reason}", _OF_MODELS)
            check.note(damage, partial(remove_rows, check.store, MODELS, "model_id", {model_id}))


_OF_MODELS = "the same `cluster` or `run` fits it again; runs keep their assignments"


def _check_small_files(check: _Check) -> None:
    """Check the JSON files that jobs read."""
    for path, cost, deletable in _small_files(check.blobs):
        text = check.blobs.read_if_exists(path)
        check.files += 1
        check.size_bytes += len(text or b"")
        try:
            json.loads(text or b"")
        except ValueError as wrong:
            damage = Damage(path, f"is cut or altered ({wrong})", cost, deletable)
            check.note(damage, check.delete(path) if deletable else lambda _: None)


def _small_files(blobs: Blobs) -> Iterator[tuple[str, str, bool]]:
    """Yield path, cost, and whether the file may be deleted."""
    listed = "the archive is listed again by the next embed, run or update"
    again = "the next embed, run or update writes it again"
    for folder, name, cost in (
        (SCANS.name, "/scan.json", listed),
        (PLANS.name, "/plan.json", "the files that are left to embed are planned again"),
        (ARCHIVES.name, "/settings.json", again),
        (contract_by_settings("").rpartition("/")[0], ".json", again),
    ):
        yield from ((path, cost, True) for path in blobs.list(folder) if path.endswith(name))
    for path in blobs.list(LEASES.name):
        yield path, "nothing to do: the next job waits for its term and takes it over", False
    backup = "rows might be doubled without it: bring it back from a backup"
    for table in (*TABLES, METADATA.name):
        yield from ((path, backup, False) for path in blobs.list(replaced(table)))
