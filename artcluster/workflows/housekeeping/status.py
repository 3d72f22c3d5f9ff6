"""What a store holds, what a job left unfinished, and who writes to it now."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from artcluster.archive.entries import LEFT_OUT_REASONS
from artcluster.archive.scan import latest_scan, left_out_of
from artcluster.config import Config
from artcluster.schema import EMBEDDINGS, FORMAT_VERSION, IMAGES, MODELS, RUNS, TABLES
from artcluster.store import Store
from artcluster.store.blobs import Blobs
from artcluster.store.format import OVERLOOKED
from artcluster.store.layout import CHECKPOINTS, FOLDERS, MARK, PRETRAINED, Folder
from artcluster.store.lease import Holder, lease_holders
from artcluster.workflows.archives import archive_ids, known_archive
from artcluster.workflows.embedding.scanning import pending_plans
from artcluster.workflows.embedding.throughput import read_rate
from artcluster.workflows.runs import Run, read_runs


@dataclass(frozen=True)
class ArchiveStatus:
    """What a store knows of one archive."""

    archive_id: str
    scan_id: int
    images: int
    rejects: Mapping[str, int]
    unread: int = 0
    """Paths that could not be read when they were tried last."""


@dataclass(frozen=True)
class Unfinished:
    """Work that a job began and did not end, or is at now."""

    what: str
    """`embedding`, `training` or `run`."""
    name: str
    """The archive, the training or the model."""
    detail: str
    restart: str
    """What the same command would do."""
    images: int | None = None
    """Of the plan, where it is embedding."""
    left: int | None = None
    expected_seconds: float | None = None
    """For what is left, at the rate of the last job that ended."""


@dataclass(frozen=True)
class FolderStatus:
    """Files of a folder of the store, beside those of its table."""

    name: str
    holds: str
    files: int
    size_bytes: int


@dataclass(frozen=True)
class StoreStatus:
    """What a store holds, what a job left unfinished, and who writes to it now."""

    uri: str
    format_version: int
    archives: tuple[ArchiveStatus, ...]
    embedders: Mapping[str, int]
    """Vectors an embedder_id."""
    runs: tuple[Run, ...]
    last_commit: datetime | None
    """When vectors or images were committed last, by the writer's clock."""
    unfinished: tuple[Unfinished, ...]
    writers: tuple[Holder, ...]
    folders: tuple[FolderStatus, ...]
    """What lies beside the tables."""
    unknown: tuple[str, ...]
    """Names at the store's root that are none of its own."""


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
    runs = read_runs(store)
    return StoreStatus(
        uri=str(store.location),
        format_version=FORMAT_VERSION,
        archives=tuple(archives),
        embedders=dict(vectors),
        runs=tuple(runs),
        last_commit=_last_commit(store),
        unfinished=(
            *_embedding(store, config),
            *_training(store),
            *_runs(store, runs),
        ),
        writers=tuple(lease_holders(Blobs(store.location))),
        folders=tuple(_folders(store)),
        unknown=unknown_names(store),
    )


def unknown_names(store: Store) -> tuple[str, ...]:
    """Return the names at a store's root that are none of its own."""
    own = (*FOLDERS, MARK, *OVERLOOKED)
    return tuple(name for name in Blobs(store.location).names() if name not in own)


def _is_of_table(folder: Folder, path: str) -> bool:
    return folder.below(path)[0].startswith("_") or path.endswith(".parquet")


def _folders(store: Store) -> Iterator[FolderStatus]:
    """Yield the folders that have files beside a table's."""
    for folder in FOLDERS.values():
        if folder.in_status:
            beside = [
                size
                for path, size in Blobs(store.location).list_sizes(folder.name)
                if folder.name not in TABLES or not _is_of_table(folder, path)
            ]
            if beside:
                yield FolderStatus(folder.name, folder.holds, len(beside), sum(beside))


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


def _training(store: Store) -> Iterator[Unfinished]:
    """Yield trainings whose checkpoint is younger than every run, and that led to nothing yet."""
    finished = {PRETRAINED.below(path)[0].rsplit(".", 1)[0] for path in store.list(PRETRAINED.name)}
    blobs = Blobs(store.location)
    # By the storage's clock, as the checkpoints' times are.
    last_run = max((entry.modified_at for entry in blobs.entries(RUNS.name)), default=None)
    for entry in blobs.entries(CHECKPOINTS.name):
        name = "/".join(CHECKPOINTS.below(entry.path)[:-1])
        if name in finished or (last_run is not None and entry.modified_at <= last_run):
            continue
        yield Unfinished(
            what="training",
            name=name,
            detail=f"a checkpoint of {entry.modified_at:%Y-%m-%d %H:%M} UTC, younger than any run",
            restart="goes on from that checkpoint, unless the training had come to its end",
        )


def _runs(store: Store, runs: list[Run]) -> Iterator[Unfinished]:
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


@dataclass(frozen=True)
class LeftOutFiles:
    """What the last listing of an archive left out.

    Attributes:
        counts: Reason → files, most frequent first.
        meanings: Reason → in words.
        paths: Reason and path of each; of a reason with more than 10,000, the first.
    """

    counts: Mapping[str, int]
    meanings: Mapping[str, str]
    paths: Sequence[tuple[str, str]]


def left_out(store: Store) -> dict[str, LeftOutFiles]:
    """Return what the last listing of each archive left out."""
    found = {}
    for archive_id in archive_ids(store):
        scan = latest_scan(store.location, archive_id)
        if scan is None:
            continue
        counts = dict(sorted(scan.skipped.items(), key=lambda item: (-item[1], item[0])))
        rows = left_out_of(store.location, scan).to_pylist()
        found[archive_id] = LeftOutFiles(
            counts,
            {reason: LEFT_OUT_REASONS.get(reason, reason) for reason in counts},
            sorted((row["reason"], row["path"]) for row in rows),
        )
    return found
