"""What embedding an archive would take: counted, sampled and measured; nothing is written."""

import os
import tempfile
from dataclasses import dataclass

from artcluster.archive.comparison import Comparison
from artcluster.archive.fetch import Fetcher
from artcluster.embedders import Contract, load
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.schema import EMBEDDINGS
from artcluster.stages.decoding import open_decoder
from artcluster.stages.dry_run import State, configured_embedder
from artcluster.stages.embedder import cache_folder
from artcluster.stages.gpu_figures import gpu_figure
from artcluster.stages.hardware import Hardware, this_machine
from artcluster.stages.job import Job
from artcluster.stages.probe import Sample, decode_seconds, embed_seconds, look, spread
from artcluster.stages.rate import Rate, read_rate
from artcluster.stages.scanning import Planning, check_not_empty, fetch_settings, resolve_archive
from artcluster.stages.sizing import Rates, Sizing, Work, size


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
        sample: What they are like.
        rates: What they cost.
        words: What the rates rest on.
        sizing: What all of them take.
    """

    sample: Sample
    rates: Rates
    words: tuple[str, ...]
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
    archive = resolve_archive(images, job.config)
    gpu = _gpu_rate(asked, job.config.embed.backbone)
    with job.timings.stage("prepare"):
        contract, state, policy = configured_embedder(job.config)
    with tempfile.TemporaryDirectory(prefix="artcluster-plan-") as scratch:
        planning = Planning(
            job.store, job.config, archive, contract.embedder_id, policy, Location.parse(scratch)
        )
        with job.timings.stage("list", unit="files"):
            scan = planning.scan()
        with job.timings.stage("plan"), planning.compared(scan) as comparison:
            summary = comparison.summary
            check_not_empty(summary, archive)
            known = sum(
                rows
                for _, rows in job.store.table(EMBEDDINGS).file_rows(
                    {"embedder_id": contract.embedder_id}
                )
            )
            measured = None
            if summary.todo:
                with job.timings.stage("measure"):
                    measured = _measured(
                        job, planning, comparison, (contract, state), asked, gpu, known
                    )
    return JobPlan(
        embedder_id=contract.embedder_id,
        listed=summary.listed,
        listed_bytes=summary.listed_bytes,
        new=summary.new,
        changed=summary.changed,
        unembedded=summary.unembedded + summary.retried,
        removed=summary.removed,
        todo=summary.todo,
        todo_bytes=summary.todo_bytes,
        skipped=sum(scan.skipped.values()),
        machines=asked.machines,
        last_job=read_rate(job.store, contract.embedder_id),
        measured=measured,
    )


def _busy() -> str | None:
    """Return a warning where other programs keep this machine's CPUs busy."""
    load, cpus = os.getloadavg()[0], this_machine().cpus
    if load <= cpus / 2:
        return None
    return f"this machine was busy (a load of {load:.1f} on {cpus} CPUs): it may do better"


def _gpu_rate(asked: Asked, backbone: str) -> tuple[float, str] | None:
    """Return images a second of one GPU and where that is from; None to measure, or for CPUs."""
    if not asked.machines.gpus:
        return None
    if asked.gpu_rate is not None:
        return asked.gpu_rate, "as given by --gpu-rate"
    if asked.gpu is not None:
        figure = gpu_figure(asked.gpu, backbone)
        return figure.images_per_s, f"NOT measured by this project, but by {figure.source}"
    if this_machine().gpus:
        return None
    raise UsageError(
        "machines with GPUs are asked for, and none is here to be measured: name their kind with "
        "--gpu, or give images a second of one with --gpu-rate"
    )


def _measured(
    job: Job,
    planning: Planning,
    comparison: Comparison,
    embedder: tuple[Contract, State],
    asked: Asked,
    gpu: tuple[float, str] | None,
    known: int,
) -> Measured:
    """Read a sample of the files to do, measure what they cost, and size the job.

    Raises:
        UsageError: None of the sampled files is a picture.
    """
    contract, state = embedder
    rows = spread(comparison, asked.sample)
    fetcher = Fetcher(planning.archive.location, fetch_settings(job.config))
    with open_decoder(planning.policy, contract.input_px, job.config.images) as decoder:
        sample, blobs = look(rows, fetcher, decoder)
        if not blobs:
            raise UsageError(
                f"none of {len(rows)} sampled files is a picture that can be decoded: "
                f"{dict(sample.rejects)}. Leave the others out with --include or --exclude."
            )
        decode_s, pixels = decode_seconds(blobs, decoder, asked.probe_s)
    fetch_s = sample.fetch_s / max(1, sample.pictures)
    words = [] if (busy := _busy()) is None else [busy]
    words += [
        f"reading {1e3 * fetch_s:.1f} ms and decoding {1e3 * decode_s:.1f} ms an image and CPU, "
        f"measured here on {len(pixels)} of its pictures"
    ]
    if gpu is not None:
        embed_s = 1 / gpu[0]
        words.append(f"embedding {gpu[0]:,.0f} images/s a GPU, {gpu[1]}")
    else:
        on_gpu = asked.machines.gpus > 0
        threads = max(1, int(job.local.resources().cpus))
        network = load(
            contract,
            state,
            engine=job.config.embed.engine,
            device="cuda" if on_gpu else "cpu",
            threads=threads,
            batch_size=job.config.embed.batch_size,
            cache_dir=cache_folder(),
        )
        each_s = embed_seconds(pixels, network, asked.probe_s)
        embed_s = each_s if on_gpu else each_s * threads
        on = "the GPU" if on_gpu else f"{threads} CPU(s)"
        words.append(f"embedding {1 / each_s:,.1f} images/s on {on}, measured here")
    rates = Rates(fetch_s + decode_s, embed_s)
    work = Work(
        images=comparison.summary.todo,
        image_bytes=sample.size_bytes / sample.pictures,
        pixels=round(sample.megapixels[2] * 1e6),
        side_px=contract.input_px[0],
        dim=contract.dim,
        known=known,
    )
    return Measured(sample, rates, tuple(words), size(work, rates, asked.machines, job.config))
