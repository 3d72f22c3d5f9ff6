"""Models that no run uses: their rows, and then their files."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath

import pyarrow.compute as pc

from artcluster.schema import MODELS, RUNS
from artcluster.stages.map_files import MAPS
from artcluster.stages.vacuum.cleaning import Cleaning
from artcluster.stages.vacuum.runs import Models, keyed_by
from artcluster.store.blobs import Entry
from artcluster.store.rows import remove_partitions, remove_rows


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
        with cleaning.holding([f"model={model_id}"], written) as free:
            if not free or (not cleaning.dry and _is_used(cleaning, model_id)):
                continue
            _remove(cleaning, model_id)
        if not cleaning.dry:
            # The tables remember its last holder, should the same model be made again.
            cleaning.blobs.delete(list(cleaning.store.list(f"leases/model={model_id}")))


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
    for entry in cleaning.blobs.entries("models"):
        folder, slash, _ = entry.path.removeprefix("models/").partition("/")
        if slash and not folder.startswith("_"):
            yield folder, entry
    for entry in cleaning.blobs.entries(MAPS):
        yield PurePosixPath(entry.path).stem, entry


def _is_used(cleaning: Cleaning, model_id: str) -> bool:
    """Tell, its lease held, whether a run that was made meanwhile uses a model."""
    runs = cleaning.store.table(RUNS).read(["run_id"], pc.field("model_id") == model_id)
    return bool(runs.num_rows)


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
