"""What embedding an archive would take: counted, sampled and measured; nothing is written."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from artcluster.archive.comparison import Comparison
from artcluster.archive.fetch import Fetcher
from artcluster.archive.parts import Target
from artcluster.config import Config
from artcluster.embedders import is_trained_here
from artcluster.embedders.networks import build_network
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.runtime.executor import Hardware, this_machine
from artcluster.schema import EMBEDDINGS
from artcluster.workflows.archives import check_there, fetch_settings, resolve_archive
from artcluster.workflows.embedding.embedder import (
    ReadyEmbedder,
    State,
    contract_and_state,
    stored_state,
)
from artcluster.workflows.embedding.metadata import check_metadata
from artcluster.workflows.embedding.scanning import Planning, check_not_empty
from artcluster.workflows.embedding.sizing import Sizing, Work, size
from artcluster.workflows.embedding.throughput import (
    MeasuredRates,
    Rate,
    ReferenceRate,
    measure_rates,
    read_rate,
    reference_rate,
    spread,
)
from artcluster.workflows.embedding.trained_network import input_px
from artcluster.workflows.job import Job
from artcluster.workflows.results import ArchiveCounts


@dataclass(frozen=True)
class PlanRequest:
    """What to plan for, and how long to measure.

    Attributes:
        machines: Those of the job.
        gpu: GPU model with a reference rate; None for this machine's, or where a rate is given.
        gpu_rate: Images per second of one GPU, as its owner measured it.
        sample: Pictures to read.
        probe_s: Seconds that each measurement may take.
    """

    machines: Hardware
    gpu: str | None = None
    gpu_rate: float | None = None
    sample: int = 200
    probe_s: float = 3.0


@dataclass(frozen=True)
class Measured:
    """What reading some pictures told.

    Attributes:
        found: What they are like and cost.
        sizing: What all of them take.
    """

    found: MeasuredRates
    sizing: Sizing


@dataclass(frozen=True)
class JobPlan:
    """What embedding an archive would take.

    Attributes:
        embedder_id: The embedder whose vectors are missing.
        counts: The archive against the store, and the time to expect.
        machines: Where the job is to run.
        last_job: Rate of the last job over this store with this embedder, if there was one.
        measured: What the job takes, and what that is based on; None where nothing is to do.
    """

    embedder_id: str
    counts: ArchiveCounts
    machines: Hardware
    last_job: Rate | None
    measured: Measured | None


@dataclass(frozen=True)
class Preview:
    """What a job would find before it embeds anything.

    Attributes:
        embedder: The job's; its weights may not be in the store yet.
        state: Its weights, or what reads them.
        comparison: The archive as it is now, against the store.
        fetcher: Reads the archive's files.
    """

    embedder: ReadyEmbedder
    state: State
    comparison: Comparison
    fetcher: Fetcher


def plan_archive(job: Job, images: str, embedder: ReadyEmbedder | None = None) -> ArchiveCounts:
    """List an archive and estimate the time to embed it here: what a dry run tells.

    Args:
        images: Where the archive is.
        embedder: One that the store has (default: the configured one).

    Raises:
        ArchiveError: The archive cannot be listed or read.
        UsageError: There are no images, or the embedder cannot be had.
    """
    with previewed(job, images, embedder) as preview:
        last, measured = read_rate(job.store, preview.embedder.embedder_id), None
        if preview.comparison.summary.todo and last is None:
            quick = PlanRequest(this_machine(), sample=24, probe_s=0.5)
            measured = _measured(job, preview, quick, None)
        return _counts(preview, last, measured)


def plan_job(job: Job, images: str, request: PlanRequest) -> JobPlan:
    """List an archive, read some of its pictures, measure, and size the job.

    Args:
        images: Where the archive is.
        request: Machines, and how long to measure.

    Raises:
        ArchiveError: The archive cannot be listed or read.
        UsageError: There are no images, the embedder cannot be had, or no rate is known of the
            GPUs that were asked for.
    """
    gpu = _gpu_figure(request, job.config.embed.backbone)
    with previewed(job, images) as preview:
        embedder_id = preview.embedder.embedder_id
        last = read_rate(job.store, embedder_id)
        measured = None
        if preview.comparison.summary.todo:
            with job.timings.stage("measure"):
                measured = _measured(job, preview, request, gpu)
    return JobPlan(embedder_id, _counts(preview, last, measured), request.machines, last, measured)


def _counts(preview: Preview, last: Rate | None, measured: Measured | None) -> ArchiveCounts:
    """Return what was counted, and the time to expect: at the last job's rate, or as measured."""
    summary = preview.comparison.summary
    if last is not None:
        seconds = summary.todo / last.images_per_s
        words = f"at {last.images_per_s:.1f} images/s, as in the job of {last.at[:16]}"
    elif measured is None:
        seconds, words = 0.0, "nothing is new"
    else:
        seconds = 3600 * measured.sizing.hours
        words = (
            f"at {measured.sizing.images_per_s:.1f} images/s, measured on "
            f"{measured.found.sample.pictures} of them"
        )
    return ArchiveCounts(
        listed=summary.listed,
        listed_bytes=summary.listed_bytes,
        new=summary.new,
        changed=summary.changed,
        unembedded=summary.unembedded + summary.retried,
        unchanged=summary.unchanged,
        removed=summary.removed,
        todo=summary.todo,
        todo_bytes=summary.todo_bytes,
        left_out=preview.comparison.scan.skipped,
        expected_seconds=seconds,
        expected_from=words,
    )


@contextmanager
def previewed(job: Job, images: str, embedder: ReadyEmbedder | None = None) -> Iterator[Preview]:
    """List an archive and compare it with the store.

    Args:
        images: Where the archive is.
        embedder: One that the store has (default: the configured one).

    Raises:
        ArchiveError: The archive cannot be listed.
        UsageError: There are no images, or the embedder cannot be had.
    """
    archive = resolve_archive(images, job.config)
    check_there(archive, job.config)
    check_metadata(job)
    with job.timings.stage("prepare"):
        if embedder is None:
            embedder, state = _configured_embedder(job.config)
        else:
            state = stored_state(job.store, embedder)
    with tempfile.TemporaryDirectory(prefix="artcluster-preview-") as scratch:
        planning = Planning(
            job.store,
            job.config,
            archive,
            Target("vectors", embedder.embedder_id),
            embedder.policy,
            Location.parse(scratch),
        )
        with job.timings.stage("list", unit="files"):
            scan = planning.scan()
        with job.timings.stage("plan"), planning.compared(scan) as comparison:
            check_not_empty(comparison.summary, archive)
            fetcher = Fetcher(archive.location, fetch_settings(job.config))
            yield Preview(embedder, state, comparison, fetcher)


def _configured_embedder(config: Config) -> tuple[ReadyEmbedder, State]:
    untrained = None
    if is_trained_here(config.embed.backbone) and config.embed.weights == "auto":
        # Its cost is that of the trained one, and what has a vector is not known before it is.
        side = input_px(config.embed)
        untrained = build_network(config.embed.backbone, (side, side), seed=0).state_dict()
    contract, state, policy = contract_and_state(config, untrained)
    return ReadyEmbedder(contract, policy, weights_path=""), state


def _gpu_figure(asked: PlanRequest, backbone: str) -> ReferenceRate | None:
    """Return what one GPU does and who says so; None to measure it, or for CPUs.

    Raises:
        UsageError: Nobody knows.
    """
    if not asked.machines.gpus:
        return None
    if asked.gpu_rate is not None:
        return ReferenceRate(asked.gpu_rate, "as given by --gpu-rate")
    if asked.gpu is not None:
        figure = reference_rate(asked.gpu, backbone)
        words = f"NOT measured by this project, but by {figure.source}"
        return ReferenceRate(figure.images_per_s, words)
    if this_machine().gpus:
        return None
    raise UsageError(
        "machines with GPUs are asked for, and none is here to be measured: name their kind with "
        "--gpu, or give images a second of one with --gpu-rate"
    )


def _measured(
    job: Job, preview: Preview, asked: PlanRequest, gpu: ReferenceRate | None
) -> Measured:
    """Read a sample of the files to do, measure what they cost, and size the job."""
    contract = preview.embedder.contract
    found = measure_rates(
        job,
        preview.fetcher,
        spread(preview.comparison, asked.sample),
        preview.embedder,
        preview.state,
        on_gpu=asked.machines.gpus > 0,
        gpu=gpu,
        budget_s=asked.probe_s,
    )
    mine = {"embedder_id": contract.embedder_id}
    work = Work(
        images=preview.comparison.summary.todo,
        image_bytes=found.sample.size_bytes / found.sample.pictures,
        pixels=round(found.sample.megapixels[2] * 1e6),
        side_px=contract.input_px[0],
        dim=contract.dim,
        known=sum(rows for _, rows in job.store.table(EMBEDDINGS).file_rows(mine)),
    )
    return Measured(found, size(work, found.rates, asked.machines, job.config))
