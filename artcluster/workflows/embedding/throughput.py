"""How fast machines decode and embed: measured here, of the last job, or published."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from artcluster.archive.comparison import Comparison
from artcluster.archive.fetch import Fetcher
from artcluster.archive.parts import PartRow
from artcluster.embedders import Embedder, load
from artcluster.errors import UsageError
from artcluster.images.rejects import ImageInfo
from artcluster.images.sandbox.decoder import Decoder
from artcluster.runtime.executor import this_machine
from artcluster.store import Store
from artcluster.store.layout import EMBEDDERS
from artcluster.workflows.embedding.decoding import FaceLooker, WholePictures, decoder_for
from artcluster.workflows.embedding.embedder import ReadyEmbedder, State, cache_folder
from artcluster.workflows.embedding.sizing import CPU_THREADS, Rates
from artcluster.workflows.job import Job

_BATCH = 8


_FEWEST = 50


_LEAST_S = 1e-9
"""Of embedding an image in which there is nothing to embed."""


@dataclass(frozen=True)
class ReferenceRate:
    """Images a second of one GPU, the network alone, at 224², with its source."""

    images_per_s: float
    source: str


@dataclass(frozen=True)
class Sample:
    """Pictures of the archive, by their headers.

    Attributes:
        pictures: Files read.
        size_bytes: Of them all.
        formats: Pictures by format.
        rejects: Unusable files by reason, as far as headers tell.
        megapixels: The middle, the 95th percentile and the largest.
        fetch_s: Seconds that reading took.
    """

    pictures: int
    size_bytes: int
    formats: Mapping[str, int]
    rejects: Mapping[str, int]
    megapixels: tuple[float, float, float]
    fetch_s: float


@dataclass(frozen=True)
class Decoding:
    """What decoding took.

    Attributes:
        seconds: Of one CPU, an image.
        pixels_NHWC: What the network is to see: the pictures, or the faces in them.
        images: Images decoded.
    """

    seconds: float
    pixels_NHWC: np.ndarray
    images: int


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
    gpu: ReferenceRate | None,
    budget_s: float,
) -> MeasuredRates:
    """Read pictures, decode and embed them for some seconds, as a worker would.

    Args:
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
    take = decoder_for(embedder, job.config.images, state)
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
    return [
        f"this machine was busy (a load of {load:.1f} on {cpus} CPUs): the real rate may be higher"
    ]


def spread(comparison: Comparison, count: int) -> list[PartRow]:
    """Return files to do, spread evenly over the whole listing."""
    todo = comparison.summary.todo
    places = np.unique(np.linspace(0, todo - 1, min(count, todo)).astype(np.int64))
    found: list[PartRow] = []
    passed = 0
    for table in comparison.todo():
        here = places[(places >= passed) & (places < passed + table.num_rows)] - passed
        found += [PartRow(**row) for row in table.take(pa.array(here)).to_pylist()]
        passed += table.num_rows
    return found


def look(rows: Sequence[PartRow], fetcher: Fetcher, decoder: Decoder) -> tuple[Sample, list[bytes]]:
    """Read files and their headers; return the usable ones' bytes, too."""
    began = time.perf_counter()
    blobs = [file.data for _, file in fetcher.fetch_many(rows) if file.outcome == "ok"]
    fetch_s = time.perf_counter() - began
    infos = decoder.probe(blobs)
    usable = [blob for blob, info in zip(blobs, infos, strict=True) if info.reject is None]
    return Sample(
        pictures=len(blobs),
        size_bytes=sum(len(blob) for blob in blobs),
        formats=dict(Counter(info.format or "unknown" for info in infos if info.reject is None)),
        rejects=dict(Counter(info.reject.reason for info in infos if info.reject is not None)),
        megapixels=_megapixels(infos),
        fetch_s=fetch_s,
    ), usable


def _megapixels(infos: Sequence[ImageInfo]) -> tuple[float, float, float]:
    found = [info.width * info.height / 1e6 for info in infos if info.width and info.height]
    if not found:
        return 0.0, 0.0, 0.0
    middle, high, largest = np.percentile(found, [50, 95, 100])
    return float(middle), float(high), float(largest)


def decode(blobs: Sequence[bytes], take: WholePictures | FaceLooker, budget_s: float) -> Decoding:
    """Decode images one after the other, as a job would, for so long."""
    _take(take, blobs[:1])  # Its process is started, and its libraries loaded.
    began = time.perf_counter()
    done, pixels = 0, []
    for batch in _batches(blobs):
        pixels.append(_take(take, batch))
        done += len(batch)
        if time.perf_counter() - began > budget_s:
            break
    return Decoding((time.perf_counter() - began) / done, np.concatenate(pixels), done)


def _take(take: WholePictures | FaceLooker, blobs: Sequence[bytes]) -> np.ndarray:
    named = {str(number): blob for number, blob in enumerate(blobs)}
    return take(named, named.keys()).pixels_NHWC


def _batches(blobs: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(blobs), _BATCH):
        yield blobs[start : start + _BATCH]


def embed_seconds(pixels_NHWC: np.ndarray, embedder: Embedder, budget_s: float) -> float:
    """Return seconds that an embedder takes for one of these, once it is warm."""
    embedder(pixels_NHWC)
    began = time.perf_counter()
    done = 0
    while done == 0 or time.perf_counter() - began < budget_s:
        embedder(pixels_NHWC)
        done += len(pixels_NHWC)
    return (time.perf_counter() - began) / done


@dataclass(frozen=True)
class Rate:
    """Images a second of a whole embedding job, start-up included."""

    images_per_s: float
    images: int
    cpus: float
    gpus: float
    at: str


def record_rate(job: Job, embedder_id: str, images: int, seconds: float) -> None:
    """Write down a job's rate; a job of a few images says nothing of the next."""
    if images < _FEWEST or seconds <= 0:
        return
    resources = job.executor.resources()
    rate = Rate(
        images / seconds,
        images,
        resources.cpus,
        resources.gpus,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    job.store.write_bytes(_path(embedder_id), json.dumps(asdict(rate)).encode())


def read_rate(store: Store, embedder_id: str) -> Rate | None:
    """Return the rate of the last job with this embedder, or None."""
    path = _path(embedder_id)
    return Rate(**json.loads(store.read_bytes(path))) if store.exists(path) else None


def _path(embedder_id: str) -> str:
    return EMBEDDERS.path(embedder_id, "rate.json")


def reference_rate(kind: str, backbone: str) -> ReferenceRate:
    """Return the figure of a GPU for a backbone; `random:NAME` costs what NAME does.

    Raises:
        UsageError: There is none; names those there are.
    """
    network = backbone.removeprefix("random:")
    if kind not in REFERENCE_RATES or network not in REFERENCE_RATES[kind]:
        known = "; ".join(
            f"{gpu}: {', '.join(networks)}" for gpu, networks in REFERENCE_RATES.items()
        )
        raise UsageError(
            f"no figure is known for {network!r} on {kind!r}: there are {known}. Measure one GPU "
            "with benchmarks/embedders.py and give its images a second with --gpu-rate."
        )
    return REFERENCE_RATES[kind][network]


_TIMM_4090 = (
    "timm's results/benchmark-infer-amp-nhwc-pt240-cu124-rtx4090.csv (float16, channels last, "
    "batches of 512)"
)


REFERENCE_RATES: dict[str, dict[str, ReferenceRate]] = {
    "rtx4090": {
        "densenet121": ReferenceRate(3896, _TIMM_4090),
        "resnet50": ReferenceRate(5088, _TIMM_4090),
        "mobilenet_v2": ReferenceRate(11768, _TIMM_4090),
    }
}
"""By kind of GPU, then by network."""
