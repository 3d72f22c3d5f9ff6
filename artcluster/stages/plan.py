"""What embedding an archive would take: counted, sampled and measured; nothing is written."""

from dataclasses import dataclass

from artcluster.errors import UsageError
from artcluster.schema import EMBEDDINGS
from artcluster.stages.gpu_figures import GpuFigure, gpu_figure
from artcluster.stages.hardware import Hardware, this_machine
from artcluster.stages.job import Job
from artcluster.stages.measured_rates import MeasuredRates, measure_rates
from artcluster.stages.preview import Preview, previewed
from artcluster.stages.probe import spread
from artcluster.stages.rate import Rate, read_rate
from artcluster.stages.sizing import Sizing, Work, size


@dataclass(frozen=True)
class Asked:
    """What a plan is asked for.

    Attributes:
        machines: Those of the job.
        gpu: Kind of GPU, of `gpu_figures`; None for this machine's, or where a rate is given.
        gpu_rate: Images a second of one GPU, as its owner measured it.
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
    """What an archive holds against the store, and what embedding it would take.

    Attributes:
        embedder_id: Whose vectors are missing.
        listed: Files of the archive.
        listed_bytes: Their bytes.
        new: Paths that the store does not know.
        changed: Paths whose files changed.
        unembedded: Paths known, without a vector by this embedder.
        removed: Paths gone since.
        todo: Files to fetch and embed.
        todo_bytes: Their bytes.
        skipped: Files left out by name.
        machines: Where it is to run.
        last_job: Rate of the last job over this store with this embedder, if there was one.
        measured: What it takes, and what that rests on; None where nothing is to do.
    """

    embedder_id: str
    listed: int
    listed_bytes: int
    new: int
    changed: int
    unembedded: int
    removed: int
    todo: int
    todo_bytes: int
    skipped: int
    machines: Hardware
    last_job: Rate | None
    measured: Measured | None


def plan_job(job: Job, images: str, asked: Asked) -> JobPlan:
    """List an archive, read some of its pictures, measure, and size the job.

    Raises:
        ArchiveError: The archive cannot be listed or read.
        UsageError: There are no images, the embedder cannot be had, or no rate is known of the
            GPUs that were asked for.
    """
    gpu = _gpu_figure(asked, job.config.embed.backbone)
    with previewed(job, images) as preview:
        summary, embedder_id = preview.comparison.summary, preview.embedder.embedder_id
        measured = None
        if summary.todo:
            with job.timings.stage("measure"):
                measured = _measured(job, preview, asked, gpu)
    return JobPlan(
        embedder_id=embedder_id,
        listed=summary.listed,
        listed_bytes=summary.listed_bytes,
        new=summary.new,
        changed=summary.changed,
        unembedded=summary.unembedded + summary.retried,
        removed=summary.removed,
        todo=summary.todo,
        todo_bytes=summary.todo_bytes,
        skipped=preview.skipped,
        machines=asked.machines,
        last_job=read_rate(job.store, embedder_id),
        measured=measured,
    )


def _gpu_figure(asked: Asked, backbone: str) -> GpuFigure | None:
    """Return what one GPU does and who says so; None to measure it, or for CPUs.

    Raises:
        UsageError: Nobody knows.
    """
    if not asked.machines.gpus:
        return None
    if asked.gpu_rate is not None:
        return GpuFigure(asked.gpu_rate, "as given by --gpu-rate")
    if asked.gpu is not None:
        figure = gpu_figure(asked.gpu, backbone)
        words = f"NOT measured by this project, but by {figure.source}"
        return GpuFigure(figure.images_per_s, words)
    if this_machine().gpus:
        return None
    raise UsageError(
        "machines with GPUs are asked for, and none is here to be measured: name their kind with "
        "--gpu, or give images a second of one with --gpu-rate"
    )


def _measured(job: Job, preview: Preview, asked: Asked, gpu: GpuFigure | None) -> Measured:
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
