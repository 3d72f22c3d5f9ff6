"""Files that nothing in the store names any more: networks, indexes, hints, trials, thumbnails."""

import io
from collections.abc import Collection
from urllib.parse import unquote

import pyarrow.parquet as pq

from artcluster.embedders.contract import Contract
from artcluster.schema import EMBEDDERS, EMBEDDINGS, IMAGES, MODELS, STUDIES, TRIALS
from artcluster.store.blobs import Entry
from artcluster.store.layout import EMBEDDERS as EMBEDDER_FILES
from artcluster.store.layout import (
    HINTS,
    INDEXES,
    THUMBNAILS,
    contract_by_settings,
    embedder_weights,
)
from artcluster.store.layout import STUDIES as STUDY_FILES
from artcluster.store.layout import TRIALS as TRIAL_FILES
from artcluster.store.members import split_member
from artcluster.workflows.housekeeping.cleaning import Cleaning
from artcluster.workflows.runs import read_runs


def clean_networks(cleaning: Cleaning) -> None:
    """Remove weights of embedders that have no vectors, once no job can be about to make them.

    Those that settings name stay: a job that finds its settings there does not fetch them again.
    """
    days = cleaning.config.vacuum.keep_unfinished_days
    store = cleaning.store
    used = set(store.table(EMBEDDINGS).distinct("embedder_id"))
    used |= set(store.table(EMBEDDERS).read(["embedder_id"])["embedder_id"].to_pylist())
    for path in store.list(contract_by_settings("").rpartition("/")[0]):
        used.add(Contract.from_json(store.read_bytes(path).decode()).embedder_id)
    named = {embedder_weights(embedder_id) for embedder_id in used}
    found = [
        entry
        for entry in cleaning.blobs.entries(EMBEDDER_FILES.name)
        if entry.path.endswith("/weights.safetensors") and entry.path not in named
    ]
    old = [entry for entry in found if cleaning.older(entry.modified_at, days=days)]
    cleaning.delete("weights of networks that made no vectors", old)
    if len(old) < len(found):
        cleaning.keep(f"weights of networks without vectors, for {days:g} days")


def clean_indexes(cleaning: Cleaning) -> None:
    """Remove indexes over vectors of embedders that have none any more."""
    used = set(cleaning.store.table(EMBEDDINGS).distinct("embedder_id"))
    for name, entries in cleaning.folders(INDEXES).items():
        if unquote(name) not in used:
            _remove(cleaning, "indexes of embedders without vectors", entries)


def clean_hints(cleaning: Cleaning) -> None:
    """Remove hints that no run and no model was made with."""
    models = cleaning.store.table(MODELS).read(["config"])["config"].to_pylist()
    texts = [*models, *(str(run.config) for run in read_runs(cleaning.store))]
    for entry in cleaning.blobs.entries(HINTS.name):
        if not any(entry.path in text for text in texts):
            _remove(cleaning, "hints that no run was made with", [entry])


def clean_trials(cleaning: Cleaning) -> None:
    """Remove clusters and maps of trials whose row never came."""
    finished = set(cleaning.store.table(TRIALS).read(["path"])["path"].to_pylist())
    for entry in cleaning.blobs.entries(TRIAL_FILES.name):
        name, *rest = TRIAL_FILES.below(entry.path)
        if not rest and name.endswith(".safetensors") and entry.path not in finished:
            _remove(cleaning, "trials that were never finished", [entry])


def clean_studies(cleaning: Cleaning) -> None:
    """Remove files of studies that a job began and none finished."""
    finished = set(cleaning.store.table(STUDIES).read(["study_id"])["study_id"].to_pylist())
    for study_id, entries in cleaning.folders(STUDY_FILES).items():
        # The table of studies is in the same folder.
        parts = [entry for entry in entries if len(STUDY_FILES.below(entry.path)) > 1]
        if not study_id.startswith("_") and study_id not in finished:
            _remove(cleaning, "studies that were never finished", parts)


def clean_thumbnails(cleaning: Cleaning) -> None:
    """Remove sheets of thumbnails of which no picture is in an archive any more."""
    entries = {entry.path: entry for entry in cleaning.blobs.entries(THUMBNAILS.name)}
    indexes = [path for path in entries if path.endswith(".parquet")]
    if not indexes:
        return
    known = cleaning.store.table(IMAGES).read(["content_id"])["content_id"].unique().to_pylist()
    for path in indexes:
        table = pq.read_table(io.BytesIO(cleaning.store.read_bytes(path)))
        contents = {split_member(each)[0] for each in table["content_id"].to_pylist()}
        if contents.isdisjoint(known):
            folder = path.rsplit("/", 2)[0]
            sheets = {f"{folder}/{name}.webp" for name in table["sheet"].to_pylist()}
            # The index first: without it the sheets are made again.
            gone = [entries[path], *(entries[each] for each in sorted(sheets & entries.keys()))]
            _remove(cleaning, "thumbnails of pictures that no archive has", gone)


def _remove(cleaning: Cleaning, why: str, entries: Collection[Entry]) -> None:
    """Remove files together, once none was written in the last days."""
    days = cleaning.config.vacuum.keep_unfinished_days
    if all(cleaning.older(entry.modified_at, days=days) for entry in entries):
        cleaning.delete(why, entries)
    else:
        cleaning.keep(f"{why}, for {days:g} days")
