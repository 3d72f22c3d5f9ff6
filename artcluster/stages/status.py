"""What a store holds, what a job left unfinished, and who writes to it now."""

from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import unquote

from artcluster.config import Config
from artcluster.schema import FORMAT_VERSION
from artcluster.stages.known import archive_ids, known_archive
from artcluster.stages.summary import ArchiveStatus, RunStatus, StoreStatus
from artcluster.stages.unfinished import unfinished_plans
from artcluster.store import Store
from artcluster.store.lease import Record


def store_status(store: Store, config: Config) -> StoreStatus:
    """Read a store's state; nothing is written and no lease is taken."""
    archives = []
    for archive_id in archive_ids(store):
        known = known_archive(store, archive_id, config)
        archives.append(ArchiveStatus(archive_id, known.scan_id, known.images, known.rejects))
    vectors: dict[str, int] = defaultdict(int)
    embeddings = store.table("embeddings")
    for embedder_id in embeddings.distinct("embedder_id"):
        for _, rows in embeddings.file_rows({"embedder_id": embedder_id}):
            vectors[embedder_id] += rows
    runs = store.table("runs").read(["run_id", "archive_id", "model_id", "images", "created_at"])
    return StoreStatus(
        uri=str(store.location),
        format_version=FORMAT_VERSION,
        archives=tuple(archives),
        embedders=dict(vectors),
        runs=tuple(RunStatus(**row) for row in runs.sort_by("created_at").to_pylist()),
        unfinished=tuple(_unfinished(store, config)),
        writers=tuple(_writers(store)),
    )


def _unfinished(store: Store, config: Config) -> Iterator[str]:
    """Yield the plans that a job did not finish."""
    for plan, left in unfinished_plans(store, config):
        yield (
            f"{sum(ref.images for ref in left):,} of {plan.images:,} images of "
            f"{plan.archive_id} by {plan.embedder_id}, planned {plan.created_at[:16]}; the "
            "same command goes on with them"
        )


def _writers(store: Store) -> Iterator[str]:
    """Yield the jobs that hold a lease and are not known to be dead."""
    newest: dict[str, str] = {}
    for path in store.list("leases"):
        name = path.split("/")[1]
        newest[name] = max(path, newest.get(name, ""))
    for name, path in sorted(newest.items()):
        record = Record.from_json(store.read_bytes(path))
        if not record.released and not record.holder.is_dead():
            note = f" ({record.note})" if record.note else ""
            yield (
                f"{unquote(name)}: process {record.holder.pid} on {record.holder.host}{note}, "
                f"since {record.since}"
            )
