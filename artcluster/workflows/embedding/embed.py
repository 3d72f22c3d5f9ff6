"""The embedding job: what is new in an archive becomes vectors, committed as they come."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow.compute as pc

from artcluster.archive.comparison import Comparison
from artcluster.archive.parts import PartRef, Target
from artcluster.archive.plan import Plan
from artcluster.archive.scan import Scan, read_scan
from artcluster.embedders import finds_faces, is_trained_here
from artcluster.errors import ArtclusterError, FencedError, StoppedError
from artcluster.runtime.executor import Executor, Step
from artcluster.schema import IMAGES
from artcluster.workflows.archives import (
    Archive,
    check_there,
    count_faces,
    done_table,
    fetch_settings,
    known_archive,
    resolve_archive,
    stored_scan,
)
from artcluster.workflows.embedding.commit import (
    Committer,
    EmbedTelemetry,
    Tally,
    WriteLeases,
    commit_shards,
    write_leases,
)
from artcluster.workflows.embedding.decode_task import DecodePart
from artcluster.workflows.embedding.embed_task import EmbedPart
from artcluster.workflows.embedding.embedder import (
    ReadyEmbedder,
    is_recorded,
    prepare_embedder,
    record_embedder,
)
from artcluster.workflows.embedding.metadata import check_metadata, import_metadata
from artcluster.workflows.embedding.recovery import find_uncommitted, half_committed
from artcluster.workflows.embedding.scanning import Planning, check_not_empty
from artcluster.workflows.embedding.settings import record_settings
from artcluster.workflows.embedding.throughput import record_rate
from artcluster.workflows.job import Job
from artcluster.workflows.results import EmbedSummary, left_out_words

_CPU_THREADS = 2


_ROUNDS = 3


def embed_archive(
    job: Job,
    images: str,
    embedder: ReadyEmbedder | None = None,
    check: Callable[[int], None] | None = None,
) -> EmbedSummary:
    """Embed the images of an archive that have no vector yet.

    A job that was killed resumes from its stored plan and its last commit. Content that has a
    vector is not embedded again, whatever its path.

    Args:
        images: Where the archive is.
        embedder: One that the store has (default: the configured one).
        check: Called with the number of files once they are listed; raises where they are too few.

    Raises:
        UsageError: There is no such archive, table of metadata, or column of labels.
        ArchiveError: The archive cannot be listed or read.
        LeaseHeldError: Another job writes the same.
        StalledError: Nothing moved for `embed.stall_timeout_s`.
    """
    archive = resolve_archive(images, job.config)
    check_there(archive, job.config)
    check_metadata(job)
    if not job.store.table(IMAGES).exists():
        # A first job has work for sure: the cluster gets ready while weights are fetched and files
        # listed. Later ones often find nothing new, and need none.
        job.executor.start()
    if embedder is None:
        embedder = _configured_embedder(job, archive)
    planning = _planning(job, archive, embedder)
    tally = Tally()
    with write_leases(job, embedder.embedder_id, archive.archive_id) as leases:
        embedding = _Embedding(job, planning, embedder, leases, tally)
        work = embedding.resume() or embedding.plan_anew(check)
        if work is not None:
            embedding.finish(work)
        record_embedder(job.store, embedder, tally.engine)
    known = known_archive(job.store, archive.archive_id, job.config)
    import_metadata(job, archive, known.scan_id)
    record_settings(job.store, archive, job.config)
    return EmbedSummary(
        archive_id=archive.archive_id,
        scan_id=known.scan_id,
        embedder_id=embedder.embedder_id,
        images=known.images,
        rejects=known.rejects,
        unread=known.unread,
        unread_examples=known.unread_examples,
        files=known.files,
        damaged=known.damaged,
        embedded=tally.embedded,
        adopted=tally.adopted,
        removed=tally.removed,
        resumed=tally.resumed,
        seconds=dict(job.timings.seconds),
        faces=(
            count_faces(job.store, archive.archive_id, embedder.embedder_id, job.config)
            if finds_faces(embedder.embedder_id)
            else None
        ),
    )


def embed_known(job: Job, archive_id: str, embedder: ReadyEmbedder) -> int:
    """Embed what the store knows of an archive by another embedder, without listing it again.

    Args:
        archive_id: The archive; its images are those of its last listing.
        embedder: The embedder, its weights in the store.

    Returns:
        Distinct contents that the embedder was called for.

    Raises:
        UsageError: The store does not know where the archive lies.
        ArchiveError: The archive cannot be read.
        LeaseHeldError: Another job writes the same.
    """
    archive, scan = stored_scan(job, archive_id)
    planning = _planning(job, archive, embedder)
    with planning.compared(scan) as comparison:
        todo = comparison.summary.todo
    tally = Tally()
    if todo or not is_recorded(job.store, embedder):
        with write_leases(job, embedder.embedder_id, archive_id) as leases:
            embedding = _Embedding(job, planning, embedder, leases, tally)
            work = embedding.resume() or embedding.plan_known(scan)
            if work is not None:
                embedding.finish(work)
            record_embedder(job.store, embedder, tally.engine)
    return tally.embedded


def _planning(job: Job, archive: Archive, embedder: ReadyEmbedder) -> Planning:
    target = Target("vectors", embedder.embedder_id)
    return Planning(job.store, job.config, archive, target, embedder.policy, job.store.location)


def _configured_embedder(job: Job, archive: Archive) -> ReadyEmbedder:
    settings = job.config.embed
    trained = None
    if is_trained_here(settings.backbone) and settings.weights == "auto":
        from artcluster.workflows.embedding.trained_network import trained_network

        trained = trained_network(job, archive)
    with job.timings.stage("prepare"):
        return prepare_embedder(job.store, job.config, trained)


@dataclass(frozen=True)
class _Work:
    """A plan, and its parts that are not done."""

    plan: Plan
    refs: list[PartRef]


@dataclass(frozen=True)
class _Embedding:
    """One job over one archive, holding its leases."""

    job: Job
    planning: Planning
    embedder: ReadyEmbedder
    leases: WriteLeases
    tally: Tally

    def resume(self) -> _Work | None:
        """Return what a job that did not finish left to do, if there is one."""
        plan = self.planning.latest()
        refs = self.planning.unfinished(plan) if plan is not None else []
        if plan is None or not refs:
            return None
        self.tally.resumed = True
        self.job.progress.say(
            f"Resuming the plan of {plan.created_at[:19]}: {plan.images:,} images, scan "
            f"{plan.scan_id}. Files added since then will be picked up by the next job."
        )
        return _Work(plan, refs)

    def plan_anew(self, check: Callable[[int], None] | None) -> _Work | None:
        """List the archive; return what is to do, or None."""
        with self.job.timings.stage("list", unit="files"):
            scan = self.planning.scan()
        with self.job.timings.stage("plan"), self.planning.compared(scan) as comparison:
            summary = comparison.summary
            check_not_empty(summary, self.planning.archive)
            if check is not None:
                check(summary.listed)
            self.tally.removed = self.planning.commit_absent(comparison, self.leases.images.fence)
            self.job.progress.say(
                f"Listed {summary.listed:,} files ({left_out_words(scan.skipped)}): "
                f"{summary.new:,} new, {summary.changed:,} changed, {summary.removed:,} gone, "
                f"{summary.todo:,} to embed."
            )
            if not summary.todo:
                return None
            return self._planned(comparison)

    def plan_known(self, scan: Scan) -> _Work | None:
        """Return what is to do of a listing that the store has, or None."""
        with self.job.timings.stage("plan"), self.planning.compared(scan) as comparison:
            return self._planned(comparison) if comparison.summary.todo else None

    def finish(self, work: _Work) -> None:
        """Do the work, and what is found missing after it, until nothing is.

        Raises:
            ArtclusterError: Files are still to do after several rounds.
        """
        for _ in range(_ROUNDS):
            refs = self._adopt(work)
            if refs:
                self._run(refs)
            again = self._replanned(work.plan)
            if again is None:
                return
            work = again
        raise ArtclusterError(
            f"After {_ROUNDS} rounds {work.plan.images:,} images of scan {work.plan.scan_id} still "
            "have no vector. They keep changing while being read; run again when the archive is no "
            "longer being modified."
        )

    def _replanned(self, plan: Plan) -> _Work | None:
        """Plan again what the plan's end left undone: doubles whose other half was lost."""
        if not self.planning.unfinished(plan):
            return None
        scan = read_scan(self.job.store.location, plan.archive_id, plan.scan_id)
        assert scan is not None
        with self.planning.compared(scan) as comparison:
            if not comparison.summary.todo:
                return None
            return self._planned(comparison)

    def _planned(self, comparison: Comparison) -> _Work:
        plan = self.planning.write(comparison, self.job.executor.resources().cpus)
        return _Work(plan, self.planning.unfinished(plan))

    def _adopt(self, work: _Work) -> list[PartRef]:
        """Commit what a killed job had written and not committed; return what is left to do."""
        left = find_uncommitted(
            self.job.store, self.embedder.embedder_id, [ref.part_id for ref in work.refs]
        )
        commit_shards(self.job.store, self.leases, left.vectors, left.regions, left.images)
        self.tally.adopted += len(left.images)
        return self.planning.unfinished(work.plan) if left else work.refs

    def _run(self, refs: Sequence[PartRef]) -> None:
        total = sum(ref.images for ref in refs)
        began = time.monotonic()
        before = self.tally.embedded
        with self.job.timings.stage("embed", total):
            steps = embed_pipeline(self.job, self.planning.archive, self.embedder)
            events = EmbedTelemetry(
                self.job.executor, total, most_gpu_workers(self.job.executor, steps[-1])
            )
            results = self.job.executor.stream(
                refs, steps, stall_timeout_s=self.job.config.embed.stall_timeout_s
            )
            committer = Committer(self.job, self.leases, self.tally, events)
            try:
                for part in results:
                    committer.add(part)
                    self.job.progress.advance("embed", sum(part.counts.values()))
            except FencedError:
                raise
            except BaseException as ended:
                # What is finished is kept, whatever ended the job.
                committer.commit()
                if isinstance(ended, StoppedError | KeyboardInterrupt):
                    self.job.progress.say(
                        f"Ended early: {total - events.left:,} images are committed, "
                        f"{events.left:,} remain; run the same command again to finish."
                    )
                raise
            committer.commit()
            events.ended()
        embedded = self.tally.embedded - before
        record_rate(self.job, self.embedder.embedder_id, embedded, time.monotonic() - began)


def embed_pipeline(job: Job, archive: Archive, embedder: ReadyEmbedder) -> list[Step]:
    """Return the step that decodes a part, and the one that embeds it.

    Args:
        archive: Where the images lie.
        embedder: The embedder, its weights in the store.
    """
    settings = job.config.embed
    resources = job.executor.resources()
    # The network that tells faces apart runs on one thread of a CPU.
    on_cpu = finds_faces(embedder.embedder_id)
    gpus = 0.0 if on_cpu else settings.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if resources.gpus >= 1 else 0.0
    threads = 1 if gpus or on_cpu else _CPU_THREADS
    # No CPUs: a cluster whose workers are yet to come.
    cpus = settings.cpus_per_worker or min(threads, resources.cpus or threads)
    partition = pc.field("embedder_id") == embedder.embedder_id
    known = job.store.table(done_table(embedder.embedder_id)).batches(["content_id"], partition)
    decode = DecodePart(
        store=job.store,
        archive=archive.location,
        embedder=embedder,
        claims=job.executor.claims(batch.column(0).to_pylist() for batch in known),
        images=job.config.images,
        fetch=fetch_settings(job.config),
        boxes=half_committed(job.store, embedder.embedder_id, job.config),
        planned_at=datetime.now(UTC),
    )
    embed = EmbedPart(
        store=job.store,
        embedder=embedder,
        settings=settings,
        device="cuda" if gpus else "cpu",
        threads=max(1, int(cpus)),
    )
    workers = settings.min_workers, settings.max_workers
    return [
        Step("decode", decode, cpus=1.0),
        Step("embed", embed, cpus=cpus, gpus=gpus, workers=workers),
    ]


def most_gpu_workers(executor: Executor, embed: Step) -> int:
    """Return how many embedding workers there can be with a GPU, or a share of one."""
    if not embed.gpus:
        return 0
    room = int(executor.resources().gpus / embed.gpus)
    most = None if embed.workers is None else embed.workers[1]
    return room if most is None else min(most, room)
