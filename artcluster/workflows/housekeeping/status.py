"""What a store holds, what a job left unfinished, and who writes to it now."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import unquote

from artcluster.config import Config
from artcluster.schema import EMBEDDINGS, FORMAT_VERSION, IMAGES, MODELS, RUNS
from artcluster.store import Store
from artcluster.store.blobs import Blobs, Entry
from artcluster.store.lease import Record
from artcluster.store.process import Process
from artcluster.workflows.archives import archive_ids, known_archive
from artcluster.workflows.embedding.scanning import pending_plans
from artcluster.workflows.embedding.throughput import read_rate
from artcluster.workflows.results import ArchiveStatus, RunStatus, StoreStatus, Unfinished, Writer


def writers(store: Store) -> Iterator[Writer]:
    """Yield the holders of leases that were not given back, dead ones too."""
    blobs = Blobs(store.location)
    newest: dict[str, Entry] = {}
    for entry in blobs.entries("leases"):
        name = entry.path.split("/")[1]
        if name not in newest or entry.path > newest[name].path:
            newest[name] = entry
    for name, entry in sorted(newest.items()):
        text = blobs.read_if_exists(entry.path)
        if text is None:
            continue
        record = Record.from_json(text)
        if not record.released:
            yield _writer(unquote(name), record, entry.modified_at)


def _writer(name: str, record: Record, renewed_at: datetime) -> Writer:
    silent_s = max(0.0, (datetime.now(UTC) - renewed_at).total_seconds())
    here = record.holder.machine == Process.current().machine
    if record.holder.is_dead():
        state, then = "dead", "takes it over at once when started on that machine, else after "
        then += f"{record.ttl_s:g} s"
    elif here:
        state, then = "alive", "waits for it, and ends with an error if that takes too long"
    elif silent_s > record.ttl_s:
        # By the storage's clock and ours, which need not agree: told, and nothing decided by it.
        state, then = "silent", f"watches it for {record.ttl_s:g} s, then takes it over"
    else:
        state, then = "renewing", "waits for it, and ends with an error if that takes too long"
    return Writer(
        what=name,
        host=record.holder.host,
        pid=record.holder.pid,
        note=record.note,
        since=record.since,
        renewed_seconds_ago=round(silent_s, 1),
        state=state,
        restart=then,
    )


def store_status(store: Store, config: Config) -> StoreStatus:
    """Read a store's state; nothing is written and no lease is taken."""
    archives = []
    for archive_id in archive_ids(store):
        known = known_archive(store, archive_id, config)
        archives.append(
            ArchiveStatus(archive_id, known.scan_id, known.images, known.rejects, known.unread)
        )
    vectors: dict[str, int] = defaultdict(int)
    embeddings = store.table("embeddings")
    for embedder_id in embeddings.distinct("embedder_id"):
        for _, rows in embeddings.file_rows({"embedder_id": embedder_id}):
            vectors[embedder_id] += rows
    columns = ["run_id", "archive_id", "model_id", "images", "created_at"]
    runs = [RunStatus(**row) for row in store.table(RUNS).read(columns).to_pylist()]
    runs.sort(key=lambda run: run.created_at)
    return StoreStatus(
        uri=str(store.location),
        format_version=FORMAT_VERSION,
        archives=tuple(archives),
        embedders=dict(vectors),
        runs=tuple(runs),
        last_commit=_last_commit(store),
        unfinished=(
            *_embedding(store, config),
            *_training(store, runs),
            *_runs(store, runs),
        ),
        writers=tuple(writers(store)),
    )


def _last_commit(store: Store) -> datetime | None:
    files = [file for table in (EMBEDDINGS, IMAGES) for file in store.table(table).file_infos()]
    return max((file.committed_at for file in files), default=None)


def _embedding(store: Store, config: Config) -> Iterator[Unfinished]:
    """Yield the plans that are not done."""
    for plan, parts in pending_plans(store, config):
        left = sum(ref.images for ref in parts)
        rate = read_rate(store, plan.target.name)
        yield Unfinished(
            what="embedding",
            name=plan.archive_id,
            detail=(
                f"{plan.images - left:,} of {plan.images:,} images are done by "
                f"{plan.target.name}, planned {plan.created_at[:16]}; {len(parts):,} parts with "
                f"{left:,} images are left"
            ),
            restart=(
                "skips listing, commits what is already written, processes the remaining parts"
            ),
            images=plan.images,
            left=left,
            expected_seconds=None if rate is None else left / rate.images_per_s,
        )


def _training(store: Store, runs: list[RunStatus]) -> Iterator[Unfinished]:
    """Yield trainings whose checkpoint is younger than every run, and that led to nothing yet."""
    finished = {path.split("/")[1].rsplit(".", 1)[0] for path in store.list("pretrained")}
    last_run = max((run.created_at for run in runs), default=None)
    for entry in Blobs(store.location).entries("checkpoints"):
        name = entry.path.removeprefix("checkpoints/").rsplit("/", 1)[0]
        if name in finished or (last_run is not None and entry.modified_at <= last_run):
            continue
        yield Unfinished(
            what="training",
            name=name,
            detail=f"a checkpoint of {entry.modified_at:%Y-%m-%d %H:%M} UTC, younger than any run",
            restart="goes on from that checkpoint, unless the training had come to its end",
        )


def _runs(store: Store, runs: list[RunStatus]) -> Iterator[Unfinished]:
    """Yield models that are fitted and that no run applies."""
    used = {run.model_id for run in runs}
    for row in store.table(MODELS).read(["model_id", "created_at"]).to_pylist():
        if row["model_id"] not in used:
            yield Unfinished(
                what="run",
                name=row["model_id"],
                detail=f"the model was fitted {row['created_at']:%Y-%m-%d %H:%M} and has no run",
                restart="reuses the model, assigns the remaining images, commits the run",
            )
