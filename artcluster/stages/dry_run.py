"""What a job would do: counts, bytes and the time to expect, with nothing written to the store."""

import tempfile
import time

import pyarrow as pa

from artcluster.archive.comparison import Comparison
from artcluster.archive.fetch import Fetcher
from artcluster.archive.parts import PartRow
from artcluster.config import Config
from artcluster.embedders import Contract, is_trained_here, load
from artcluster.embedders.networks import build_network
from artcluster.images.policy import PixelPolicy
from artcluster.location import Location
from artcluster.stages.embedder import (
    ReadyEmbedder,
    State,
    cache_folder,
    contract_and_state,
    stored_state,
)
from artcluster.stages.find_faces import taker_for
from artcluster.stages.job import Job
from artcluster.stages.rate import read_rate
from artcluster.stages.scanning import Planning, check_not_empty, fetch_settings, resolve_archive
from artcluster.stages.summary import ArchiveCounts
from artcluster.stages.trained_network import input_px
from artcluster.store import Store

_SAMPLE = 24


def plan_archive(job: Job, images: str, embedder: ReadyEmbedder | None = None) -> ArchiveCounts:
    """List an archive and say what embedding it would take.

    Args:
        job: What to work with.
        images: Where the archive lies.
        embedder: One that the store has; by default the configured one.

    Raises:
        ArchiveError: The archive cannot be listed or read.
        UsageError: There are no images, or the embedder cannot be had.
    """
    archive = resolve_archive(images, job.config)
    with job.timings.stage("prepare"):
        contract, state, policy = (
            configured_embedder(job.config) if embedder is None else _stored(job.store, embedder)
        )
    with tempfile.TemporaryDirectory(prefix="artcluster-dry-run-") as scratch:
        planning = Planning(
            job.store, job.config, archive, contract.embedder_id, policy, Location.parse(scratch)
        )
        with job.timings.stage("list", unit="files"):
            scan = planning.scan()
        with job.timings.stage("plan"), planning.compared(scan) as comparison:
            summary = comparison.summary
            check_not_empty(summary, archive)
            seconds, reason = _expected(job, planning, comparison, contract, state)
    return ArchiveCounts(
        listed=summary.listed,
        listed_bytes=summary.listed_bytes,
        new=summary.new,
        changed=summary.changed,
        unchanged=summary.unchanged,
        removed=summary.removed,
        todo=summary.todo,
        todo_bytes=summary.todo_bytes,
        skipped=sum(scan.skipped.values()),
        expected_seconds=seconds,
        expected_from=reason,
    )


def configured_embedder(config: Config) -> tuple[Contract, State, PixelPolicy]:
    """Return what the configured embedder is, its weights, and how pixels are made for it."""
    untrained = None
    if is_trained_here(config.embed.backbone) and config.embed.weights == "auto":
        # Its cost is that of the trained one, and what has a vector is not known before it is.
        side = input_px(config.embed)
        untrained = build_network(config.embed.backbone, (side, side), seed=0).state_dict()
    return contract_and_state(config, untrained)


def _stored(store: Store, embedder: ReadyEmbedder) -> tuple[Contract, State, PixelPolicy]:
    return (
        embedder.contract,
        stored_state(store, embedder),
        embedder.policy,
    )


def _expected(
    job: Job,
    planning: Planning,
    comparison: Comparison,
    contract: Contract,
    state: State,
) -> tuple[float, str]:
    """Return seconds to expect, at the last job's rate or one measured here, and what from."""
    summary = comparison.summary
    if not summary.todo:
        return 0.0, "nothing is new"
    last = read_rate(job.store, contract.embedder_id)
    if last is not None:
        words = f"at {last.images_per_s:.1f} images/s, as in the job of {last.at[:16]}"
        return summary.estimate_s(last.images_per_s), words
    embedder = load(
        contract,
        state,
        engine=job.config.embed.engine,
        threads=max(1, int(job.local.resources().cpus)),
        batch_size=job.config.embed.batch_size,
        cache_dir=cache_folder(),
    )
    rows = _some(comparison)
    fetcher = Fetcher(planning.archive.location, fetch_settings(job.config))
    take = taker_for(ReadyEmbedder(contract, planning.policy, ""), job.config.images, state)
    with take.decoder:
        began = time.perf_counter()
        files = enumerate(fetcher.fetch_many(rows))
        blobs = {str(number): file.data for number, (_, file) in files}
        pixels = take(blobs, blobs.keys()).pixels_NHWC
        if len(pixels):
            embedder(pixels)
    rate = len(rows) / (time.perf_counter() - began)
    words = f"at {rate:.1f} images/s, measured on {len(rows)} of them on this machine alone"
    return summary.estimate_s(rate), words


def _some(comparison: Comparison) -> list[PartRow]:
    """Return some of the files to do, spread over the first thousands."""
    first: pa.Table = next(comparison.todo())
    step = max(1, first.num_rows // _SAMPLE)
    chosen = first.take(pa.array(range(0, first.num_rows, step))).slice(0, _SAMPLE)
    return [PartRow(**row) for row in chosen.to_pylist()]
