"""Runs past their retention, with the rows that belong to them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from artcluster.config import VacuumSettings
from artcluster.schema import MODELS, RUNS, TABLES, Table
from artcluster.store.blobs import Entry
from artcluster.store.layout import MAPS
from artcluster.store.layout import MODELS as MODEL_FILES
from artcluster.store.rewrite import remove_partitions, remove_rows
from artcluster.workflows.housekeeping.cleaning import Cleaning
from artcluster.workflows.runs import Run, read_runs


@dataclass(frozen=True)
class Models:
    """Models by whether runs use them: `used` by runs that stay, `freed` by runs that went."""

    used: frozenset[str]
    freed: frozenset[str]


def clean_runs(cleaning: Cleaning) -> Models:
    """Remove old runs and their rows.

    A run's own row goes first, as it came last: what follows is of a run that is not there. Dead
    half-way, the next cleaning finds the rest by itself.
    """
    runs = read_runs(cleaning.store)
    reasons = retained(runs, _edited(cleaning), cleaning.config.vacuum, cleaning.now)
    for words in sorted({*reasons.values()}):
        count = sum(reason == words for reason in reasons.values())
        cleaning.keep(f"{count:,} {'run' if count == 1 else 'runs'}: {words}")
    gone = {run.run_id for run in runs} - reasons.keys()
    cleaning.remove("past their retention", len(gone), "runs")
    if gone and not cleaning.dry:
        remove_rows(cleaning.store, RUNS, "run_id", gone, cleaning.fences)
    _clean_rows_of_runs(cleaning, reasons.keys(), gone)
    used = frozenset(run.model_id for run in runs if run.run_id in reasons)
    return Models(used, frozenset(run.model_id for run in runs) - used)


def retained(
    runs: Sequence[Run],
    edited: Collection[str],
    settings: VacuumSettings,
    now: datetime,
) -> dict[str, str]:
    """Return the runs to keep, each with the reason.

    An update measures drift since the run that its model was fitted for, which it finds from
    parent to parent: so that of a run that stays, the runs of the same model before it stay, too.

    Args:
        runs: Runs, oldest first.
        edited: Runs that people's names and edits belong to.
        settings: The retention.
        now: The time.
    """
    kept: dict[str, str] = {}
    by_archive: dict[str, list[Run]] = defaultdict(list)
    for run in reversed(runs):
        by_archive[run.archive_id].append(run)
    for mine in by_archive.values():
        for place, run in enumerate(mine):
            age_days = (now - run.created_at).total_seconds() / 86_400
            if place < settings.keep_runs:
                kept[run.run_id] = f"among the last {settings.keep_runs} of an archive"
            elif age_days < settings.keep_days:
                kept[run.run_id] = f"younger than {settings.keep_days:g} days"
            elif run.run_id in edited:
                kept[run.run_id] = "people named or edited clusters in it"
        by_id = {run.run_id: run for run in mine}
        if mine[0].parent is not None and mine[0].parent in by_id:
            kept.setdefault(mine[0].parent, "the last run follows it")
        for run in [by_id[run_id] for run_id in by_id if run_id in kept]:
            before = by_id.get(run.parent or "")
            while before is not None and before.model_id == run.model_id:
                kept.setdefault(before.run_id, "a run that stays has their model")
                before = by_id.get(before.parent or "")
    return kept


def _edited(cleaning: Cleaning) -> set[str]:
    """Return the runs that names and edits belong to: rows of tables without partitions."""
    found: set[str] = set()
    for table in TABLES.values():
        if table is not RUNS and not table.partition_by and "run_id" in table.schema.names:
            rows = cleaning.store.table(table).read(["run_id"])
            found |= set(rows["run_id"].unique().to_pylist())
    return found


def _clean_rows_of_runs(cleaning: Cleaning, stay: Collection[str], gone: Collection[str]) -> None:
    """Remove clusters and lineage of runs that went, or were begun long ago and never made."""
    days = cleaning.config.vacuum.keep_unfinished_days
    for table in keyed_by("run_id"):
        newest: dict[str, datetime] = {}
        for file in cleaning.store.table(table).file_infos():
            run_id = file.partition["run_id"]
            newest[run_id] = max(file.committed_at, newest.get(run_id, file.committed_at))
        superfluous = []
        for run_id in newest.keys() - set(stay):
            if run_id in gone or cleaning.older(newest[run_id], days=days):
                superfluous.append(run_id)
            else:
                cleaning.keep(f"runs that a job began less than {days:g} days ago")
        never_made = len(set(superfluous) - set(gone))
        cleaning.remove(f"{table.name} of runs that were never finished", never_made, "runs")
        if superfluous and not cleaning.dry:
            remove_partitions(cleaning.store, table, superfluous, cleaning.fences)


def keyed_by(column: str) -> list[Table]:
    """Return the tables with a partition for each value of a column."""
    return [table for table in TABLES.values() if table.partition_by == (column,)]


def clean_models(cleaning: Cleaning, models: Models) -> None:
    """Remove models whose runs went, and those that have waited for a first run too long.

    Each is removed under its lease, so that no job makes a run of it meanwhile. Its rows go before
    its files: a model that is in the table can always be loaded.
    """
    days = cleaning.config.vacuum.keep_unfinished_days
    touched = _last_touched(cleaning)
    for model_id in sorted(touched.keys() - models.used):
        if model_id not in models.freed and not cleaning.older(touched[model_id], days=days):
            cleaning.keep(f"models that a job fitted less than {days:g} days ago and has no run of")
            continue
        tables = [MODELS, *keyed_by("model_id")]
        written = [table for table in tables if cleaning.store.table(table).exists()]
        with cleaning.holding([f"model={model_id}"], written, forget=True) as free:
            if free and (cleaning.dry or not _is_used(cleaning, model_id)):
                _remove(cleaning, model_id)


def _last_touched(cleaning: Cleaning) -> dict[str, datetime]:
    """Return when anything of each model was last written."""
    rows = cleaning.store.table(MODELS).read(["model_id", "created_at"]).to_pylist()
    files = [
        file for table in keyed_by("model_id") for file in cleaning.store.table(table).file_infos()
    ]
    times: list[tuple[str, datetime]] = [
        *((row["model_id"], row["created_at"]) for row in rows),
        *((file.partition["model_id"], file.committed_at) for file in files),
        *((model_id, entry.modified_at) for model_id, entry in _files(cleaning)),
    ]
    newest: dict[str, datetime] = {}
    for model_id, time in times:
        newest[model_id] = max(time, newest.get(model_id, time))
    return newest


def _files(cleaning: Cleaning) -> Iterator[tuple[str, Entry]]:
    """Yield the models' files; in their folder the table of models lies, too. Then their maps."""
    for entry in cleaning.blobs.entries(MODEL_FILES.name):
        model_id, *rest = MODEL_FILES.below(entry.path)
        if rest and not model_id.startswith("_"):
            yield model_id, entry
    for entry in cleaning.blobs.entries(MAPS.name):
        yield PurePosixPath(entry.path).stem, entry


def _is_used(cleaning: Cleaning, model_id: str) -> bool:
    """Tell, its lease held, whether a run that was made meanwhile uses a model."""
    return any(run.model_id == model_id for run in read_runs(cleaning.store))


def _remove(cleaning: Cleaning, model_id: str) -> None:
    files = [entry for mine, entry in _files(cleaning) if mine == model_id]
    size = sum(entry.size_bytes for entry in files)
    for table in keyed_by("model_id"):
        mine = [
            file
            for file in cleaning.store.table(table).file_infos()
            if file.partition["model_id"] == model_id
        ]
        size += sum(file.size_bytes for file in mine)
        if mine and not cleaning.dry:
            remove_partitions(cleaning.store, table, [model_id], cleaning.fences)
    cleaning.remove("no run uses them", 1, "models", size)
    if not cleaning.dry:
        remove_rows(cleaning.store, MODELS, "model_id", {model_id}, cleaning.fences)
        cleaning.blobs.delete([entry.path for entry in files])
