"""Cleaning a store up: old runs, small files, orphans, leftovers. Dry unless told otherwise."""

from dataclasses import dataclass
from datetime import UTC, datetime

from artcluster.archive.plan import part_refs
from artcluster.config import Config
from artcluster.runtime.progress import Progress
from artcluster.schema import METADATA, TABLES
from artcluster.store import Fence, Store
from artcluster.workflows.embedding.scanning import pending_plans
from artcluster.workflows.housekeeping.cleaning import Cleaning, Removal, storage_time
from artcluster.workflows.housekeeping.leftovers import (
    clean_half_written,
    clean_listings,
    clean_networks,
    clean_training,
)
from artcluster.workflows.housekeeping.runs_and_models import clean_models, clean_runs
from artcluster.workflows.housekeeping.tables import clean_logs, clean_orphans, merge_small_files

_LEASE = "vacuum"


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
    with store.lease(_LEASE, written, ttl_s=config.store.lease_ttl_s) as lease:
        fences: tuple[Fence, ...] = (lease.fence,)
        return _clean(Cleaning(store, config, False, now, fences), progress)


def _clean(cleaning: Cleaning, progress: Progress) -> VacuumSummary:
    progress.say("Looking for runs and models that nothing keeps.")
    clean_models(cleaning, clean_runs(cleaning))
    progress.say("Looking for small files to merge.")
    merge_small_files(cleaning, progress)
    progress.say("Looking for files that are in no table, and for what jobs left.")
    plans = list(pending_plans(cleaning.store, cleaning.config))
    adopted = {ref.part_id for plan, _ in plans for ref in part_refs(cleaning.store.location, plan)}
    archives = {entry.path.split("/")[1] for entry in cleaning.blobs.entries("scans")}
    clean_orphans(cleaning, archives, adopted)
    clean_listings(cleaning, [plan for plan, _ in plans])
    clean_training(cleaning)
    clean_networks(cleaning)
    clean_half_written(cleaning)
    clean_logs(cleaning)
    return VacuumSummary(cleaning.dry, tuple(cleaning.removals), tuple(cleaning.kept))
