"""Cleaning a store up: old runs, small files, orphans, leftovers. Dry unless told otherwise."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from artcluster.archive.plan import part_refs
from artcluster.config import Config
from artcluster.runtime.progress import Progress
from artcluster.schema import METADATA, TABLES
from artcluster.store import Fence, Store
from artcluster.store.layout import (
    CHECKPOINTS,
    CLOCK,
    EMBEDDERS,
    FOLDERS,
    HINTS,
    INDEXES,
    PIXELS,
    PLANS,
    SCANS,
    STUDIES,
    THUMBNAILS,
    TRIALS,
)
from artcluster.workflows.embedding.scanning import pending_plans
from artcluster.workflows.housekeeping.cleaning import Cleaning, Removal, storage_time
from artcluster.workflows.housekeeping.leftovers import (
    clean_half_written,
    clean_listings,
    clean_training,
)
from artcluster.workflows.housekeeping.runs_and_models import clean_models, clean_runs
from artcluster.workflows.housekeeping.status import unknown_names
from artcluster.workflows.housekeeping.tables import clean_logs, clean_orphans, merge_small_files
from artcluster.workflows.housekeeping.unused import (
    clean_hints,
    clean_indexes,
    clean_networks,
    clean_studies,
    clean_thumbnails,
    clean_trials,
)

_LEASE = "vacuum"


RULES: dict[str, Callable[[Cleaning], None]] = {
    CHECKPOINTS.name: clean_training,
    CLOCK.name: clean_half_written,
    EMBEDDERS.name: clean_networks,
    HINTS.name: clean_hints,
    INDEXES.name: clean_indexes,
    PIXELS.name: clean_training,
    PLANS.name: clean_listings,
    SCANS.name: clean_listings,
    STUDIES.name: clean_studies,
    THUMBNAILS.name: clean_thumbnails,
    TRIALS.name: clean_trials,
}
"""How files of a folder are removed; those of models and maps go with the models' rows."""


@dataclass(frozen=True)
class VacuumSummary:
    """What a cleaning removed, or would remove, and what it kept.

    Attributes:
        dry: Whether nothing was written.
        removals: What goes, by reason.
        kept: What stays though it looks superfluous, and why.
    """

    dry: bool
    removals: tuple[Removal, ...]
    kept: tuple[str, ...]


def vacuum_store(
    store: Store, config: Config, progress: Progress, *, dry: bool = True
) -> VacuumSummary:
    """Clean a store up. Killed at any moment, it leaves the store whole; the next one goes on.

    Nothing is removed that a living job may need: one that writes holds a lease, which is taken
    before anything of it is touched, and one that reads has `vacuum.keep_files_hours`.

    Args:
        config: What is kept, under `vacuum`.
        progress: Told what is done.
        dry: Count, and remove nothing.

    Raises:
        LeaseHeldError: Another cleaning is at work.
    """
    if dry:
        return _clean(Cleaning(store, config, True, datetime.now(UTC)), progress)
    now = storage_time(store)
    tables = [store.table(name) for name in (*TABLES, METADATA.name)]
    written = [table.table for table in tables if table.exists()]
    terms = {"ttl_s": config.store.lease_ttl_s, "wait_s": config.store.lease_wait_s}
    with store.lease(_LEASE, written, **terms) as lease:
        fences: tuple[Fence, ...] = (lease.fence,)
        return _clean(Cleaning(store, config, False, now, fences), progress)


def _clean(cleaning: Cleaning, progress: Progress) -> VacuumSummary:
    progress.say("Looking for runs and models that nothing keeps.")
    clean_models(cleaning, clean_runs(cleaning))
    progress.say("Looking for small files to merge.")
    merge_small_files(cleaning, progress)
    progress.say("Looking for files that are in no table, and for what jobs left.")
    root = cleaning.store.location
    cleaning.unfinished = [plan for plan, _ in pending_plans(cleaning.store, cleaning.config)]
    adopted = {ref.part_id for plan in cleaning.unfinished for ref in part_refs(root, plan)}
    clean_orphans(cleaning, cleaning.folders(SCANS).keys(), adopted)
    for rule in dict.fromkeys(RULES[name] for name in FOLDERS if name in RULES):
        rule(cleaning)
    clean_logs(cleaning)
    for name in unknown_names(cleaning.store):
        cleaning.keep(f"{name}: unknown to this version of artcluster, and never removed")
    return VacuumSummary(cleaning.dry, tuple(cleaning.removals), tuple(cleaning.kept))
