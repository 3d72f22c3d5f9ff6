"""What an image of an archive costs on this machine: read, decoded, embedded."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from artcluster.archive.fetch import Fetcher
from artcluster.archive.parts import PartRow
from artcluster.embedders import load
from artcluster.errors import UsageError
from artcluster.stages.embedder import ReadyEmbedder, State, cache_folder
from artcluster.stages.find_faces import taker_for
from artcluster.stages.gpu_figures import GpuFigure
from artcluster.stages.hardware import this_machine
from artcluster.stages.job import Job
from artcluster.stages.probe import Decoding, Sample, decode, embed_seconds, look
from artcluster.stages.sizing import CPU_THREADS, Rates

_LEAST_S = 1e-9
"""Of embedding an image in which there is nothing to embed."""


@dataclass(frozen=True)
class MeasuredRates:
    """What some pictures are like and cost.

    Attributes:
        sample: What they are like.
        rates: What they cost.
        words: What that rests on.
    """

    sample: Sample
    rates: Rates
    words: tuple[str, ...]


def measure_rates(
    job: Job,
    fetcher: Fetcher,
    rows: Sequence[PartRow],
    embedder: ReadyEmbedder,
    state: State,
    *,
    on_gpu: bool,
    gpu: GpuFigure | None,
    budget_s: float,
) -> MeasuredRates:
    """Read pictures, decode and embed them for some seconds, as a worker would.

    Args:
        job: What to work with.
        fetcher: Reads them.
        rows: Which.
        embedder: Its weights are `state`.
        state: Its weights, or what reads them.
        on_gpu: Embedding is on GPUs.
        gpu: What one does, where it is not to be measured.
        budget_s: Seconds for decoding, and as many for embedding.

    Raises:
        UsageError: None of them is a picture.
    """
    take = taker_for(embedder, job.config.images, state)
    with take.decoder:
        sample, blobs = look(rows, fetcher, take.decoder)
        if not blobs:
            raise UsageError(
                f"none of {len(rows)} sampled files is a picture that can be decoded: "
                f"{dict(sample.rejects)}. Leave the others out with --include or --exclude."
            )
        decoded = decode(blobs, take, budget_s)
    fetch_s = sample.fetch_s / sample.pictures
    words = [
        *_busy(),
        f"reading {1e3 * fetch_s:.1f} ms and decoding {1e3 * decoded.seconds:.1f} ms an image and "
        f"CPU, measured here on {decoded.images} of its pictures",
    ]
    # One for an image, unless the network looks at the faces in it.
    shown = len(decoded.pixels_NHWC) / decoded.images
    if gpu is not None:
        embed_s = shown / gpu.images_per_s
        words.append(f"embedding {gpu.images_per_s:,.0f} images/s a GPU, {gpu.source}")
    elif not shown:
        embed_s = 0.0
        words.append(f"embedding takes no time: {decoded.images} pictures have no faces")
    else:
        embed_s, line = _embedding(job, embedder, state, decoded, budget_s, on_gpu=on_gpu)
        words.append(line)
    rates = Rates(fetch_s + decoded.seconds, max(embed_s, _LEAST_S))
    return MeasuredRates(sample, rates, tuple(words))


def _embedding(
    job: Job,
    embedder: ReadyEmbedder,
    state: State,
    decoded: Decoding,
    budget_s: float,
    *,
    on_gpu: bool,
) -> tuple[float, str]:
    """Return seconds of a CPU, or of the GPU, an image, and words for them."""
    threads = min(CPU_THREADS, this_machine().cpus)
    network = load(
        embedder.contract,
        state,
        engine=job.config.embed.engine,
        device="cuda" if on_gpu else "cpu",
        threads=threads,
        batch_size=job.config.embed.batch_size,
        cache_dir=cache_folder(),
    )
    shown = len(decoded.pixels_NHWC) / decoded.images
    seconds = shown * embed_seconds(decoded.pixels_NHWC, network, budget_s)
    on = "the GPU" if on_gpu else f"{threads} CPU(s)"
    words = f"embedding {1 / seconds:,.1f} images/s on {on}, measured here"
    return (seconds if on_gpu else seconds * threads), words


def _busy() -> list[str]:
    """Return a warning where other programs keep this machine's CPUs busy."""
    load, cpus = os.getloadavg()[0], this_machine().cpus
    if load <= cpus / 2:
        return []
    return [f"this machine was busy (a load of {load:.1f} on {cpus} CPUs): it may do better"]
