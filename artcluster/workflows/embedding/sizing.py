"""How long an archive takes on given machines, what it needs, and how to set the job for it.

Pure arithmetic over what was counted and measured. Costs of processes are this project's own
measurements (docs/sizing.md says of what); everything else comes in as an argument.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from artcluster.config import Config
from artcluster.runtime.executor import Hardware

_PART_S = 10.0
_FEWEST_PART, _MOST_PART = 256, 1024
_MOST_PARTS = 100_000
_GPU_BATCH = 256
_COMMIT_S = 60.0
_LEAST_LIMIT = 1 << 28
_LEAST_PART_BYTES, _MOST_PART_BYTES = 64 << 20, 1 << 30


CPU_THREADS = 2
"""Of an embedding worker on CPUs."""


JOB_SHARE = 0.85
"""Of what decoding and network would allow, a whole job reached 0.85 to 0.98 (benchmarks)."""


DECODER_BYTES = 800 << 20
"""Of a decoding task: its process, and the ones in which it decodes."""


EMBEDDER_BYTES = 600 << 20
"""Of an embedding worker with OpenVINO and MobileNetV2."""


DRIVER_BYTES = 700 << 20
RAY_BYTES = 1000 << 20
"""Of Ray's own processes on the head; other nodes have fewer."""


_ROW_BYTES = 90
"""Of a vector's row beside the numbers; of an image's row in its table, twice that."""


_REGISTRY_BYTES = 60
"""A known content in the registry while it is sorted; 20 at rest."""


_NAME_BYTES = 68
"""A content's name in the driver, when it clusters."""


_BYTES_A_PIXEL = 8
"""While a picture is decoded, at most."""


@dataclass(frozen=True)
class Rates:
    """What one worker was measured to do.

    Attributes:
        decode_s: Seconds of one CPU to fetch, hash and decode an image.
        embed_s: Seconds of one CPU to embed an image; of one GPU where there are GPUs.
    """

    decode_s: float
    embed_s: float


@dataclass(frozen=True)
class Work:
    """What is to do.

    Attributes:
        images: Files to fetch and embed.
        image_bytes: Mean size of a file.
        pixels: Pixels of the largest picture seen.
        side_px: Side of the network's input.
        dim: Numbers of a vector.
        known: Contents that the store has vectors of.
    """

    images: int
    image_bytes: float
    pixels: int
    side_px: int
    dim: int
    known: int = 0


@dataclass(frozen=True)
class Sizing:
    """The answer.

    Attributes:
        images_per_s: To expect of the whole job, in its steady state.
        hours: For all images.
        bound_by: `decoding` or `embedding`: what more machines should have more of.
        embed_workers: Embedding workers on a node.
        decode_workers: Decoding tasks at once on a node, a CPU each.
        node_bytes: Memory of a node at its peak, without the object store.
        object_store_bytes: Shared memory of a node for parts on their way.
        driver_bytes: Memory of the driver beside: joins, registry, names of contents.
        vector_bytes: What the vectors take in the store.
        table_bytes: What the table of images takes.
        requests: Reads, listings and writes that an object store is asked for.
        settings: What to set, as sections of a config.
        remarks: What does not fit, or is not known.
    """

    images_per_s: float
    hours: float
    bound_by: str
    embed_workers: int
    decode_workers: int
    node_bytes: int
    object_store_bytes: int
    driver_bytes: int
    vector_bytes: int
    table_bytes: int
    requests: Mapping[str, int]
    settings: Mapping[str, Mapping[str, Any]]
    remarks: tuple[str, ...]


def size(work: Work, rates: Rates, machines: Hardware, config: Config) -> Sizing:
    """Size a job.

    Args:
        work: What is to do.
        rates: What was measured.
        machines: Where it is to run.
        config: Its settings; those of the answer are proposed instead.

    Example:
        >>> work = Work(100_000, 400_000, 3_000_000, 224, 1024)
        >>> sized = size(work, Rates(0.01, 0.1), Hardware(1, 16), Config())
        >>> round(sized.images_per_s), sized.embed_workers, sized.bound_by
        (124, 7, 'embedding')
    """
    threads = 1 if machines.gpus else min(CPU_THREADS, machines.cpus)
    workers, decoders = _share(rates, machines, threads)
    rate, bound_by = _rate(rates, machines, decoders)
    part = part_size(work.images, work.image_bytes, rate / (workers * machines.nodes))
    settings = suggested_config(
        machines,
        config,
        images_per_s=rate,
        embed_workers=workers,
        threads=threads,
        decoders=decoders,
        part=part,
    )
    pixel_bytes = part[0] * 3 * work.side_px**2
    decoder = DECODER_BYTES + part[1] + pixel_bytes + _BYTES_A_PIXEL * work.pixels
    node = RAY_BYTES + decoders * decoder + workers * EMBEDDER_BYTES
    object_store = (2 * decoders + 2 * workers + 2) * pixel_bytes
    contents = work.known + work.images
    joins: int = settings["store"]["memory_bytes"]
    driver = DRIVER_BYTES + joins + max(_REGISTRY_BYTES, _NAME_BYTES) * contents
    return Sizing(
        images_per_s=rate,
        hours=work.images / rate / 3600,
        bound_by=bound_by,
        embed_workers=workers,
        decode_workers=decoders,
        node_bytes=node,
        object_store_bytes=object_store,
        driver_bytes=driver,
        vector_bytes=work.images * (4 * work.dim + _ROW_BYTES),
        table_bytes=work.images * 2 * _ROW_BYTES,
        requests=_requests(work, part[0], rate, settings, config),
        settings=settings,
        remarks=_remarks(work, machines, node + object_store + driver),
    )


def _rate(rates: Rates, machines: Hardware, decoders: int) -> tuple[float, str]:
    """Return images a second of a job, and what more machines should serve."""
    if machines.gpus:
        embedding, decoding = machines.gpus / rates.embed_s, decoders / rates.decode_s
        rate, bound_by = min((embedding, "embedding"), (decoding, "decoding"))
    else:
        # Both steps take the same CPUs: what one leaves, the other has.
        rate = machines.cpus / (rates.decode_s + rates.embed_s)
        bound_by = "embedding" if rates.embed_s > rates.decode_s else "decoding"
    return JOB_SHARE * machines.nodes * rate, bound_by


def _share(rates: Rates, machines: Hardware, threads: int) -> tuple[int, int]:
    """Return embedding workers and decoding tasks on a node."""
    if machines.gpus:
        return machines.gpus, max(1, machines.cpus - machines.gpus)
    share = rates.embed_s / (rates.decode_s + rates.embed_s)
    most = max(1, (machines.cpus - 1) // threads)
    workers = min(most, max(1, round(machines.cpus * share / threads)))
    return workers, max(1, machines.cpus - workers * threads)


def _requests(
    work: Work,
    part_images: int,
    rate: float,
    settings: Mapping[str, Mapping[str, Any]],
    config: Config,
) -> Mapping[str, int]:
    """Return what an object store is asked for."""
    parts = math.ceil(work.images / part_images)
    by_count = work.images / settings["embed"]["commit_every_images"]
    by_time = work.images / rate / max(config.embed.commit_every_s, 1.0)
    commits = math.ceil(min(parts, max(by_count, by_time)))
    return {
        "reads": work.images + parts,
        "listings": math.ceil(work.images / 1000),
        # Of each part and commit: vectors, and images.
        "writes": 2 * parts + 2 * commits,
    }


def _remarks(work: Work, machines: Hardware, needed: int) -> tuple[str, ...]:
    found = []
    if machines.memory_bytes is not None and needed > machines.memory_bytes:
        found.append(
            f"the driver's node needs about {needed / 1e9:.1f} GB at its peak and has "
            f"{machines.memory_bytes / 1e9:.1f} GB: take fewer CPUs a node, smaller parts, or a "
            "larger head"
        )
    if machines.gpus:
        found.append("memory of embedding workers with a GPU was not measured by this project")
    if machines.nodes > 1:
        found.append("that nodes add up without loss is assumed, not measured")
    if work.images > 10_000_000:
        found.append("more than 10 million images were not run by this project")
    return tuple(found)


def part_size(images: int, image_bytes: float, worker_images_per_s: float) -> tuple[int, int]:
    """Return images and bytes a part.

    A part is some seconds of a worker's work, and there are not so many that the store's tables
    fall into too many files.

    >>> part_size(100_000, 400_000, 10.0)
    (256, 128000000)
    >>> part_size(100_000_000, 400_000, 10.0)
    (1024, 512000000)
    """
    wanted = max(worker_images_per_s * _PART_S, images / _MOST_PARTS, 1.0)
    count = int(min(_MOST_PART, max(_FEWEST_PART, 2 ** round(math.log2(wanted)))))
    size_bytes = int(1.25 * count * image_bytes)
    return count, min(_MOST_PART_BYTES, max(_LEAST_PART_BYTES, size_bytes))


def suggested_config(
    machines: Hardware,
    config: Config,
    *,
    images_per_s: float,
    embed_workers: int,
    threads: int,
    decoders: int,
    part: tuple[int, int],
) -> Mapping[str, Mapping[str, Any]]:
    """Return what to set.

    Args:
        machines: Where the job is to run.
        config: What is set now; kept where nothing speaks against it.
        images_per_s: To expect.
        embed_workers: Embedding workers on a node.
        threads: Threads of each.
        decoders: Decoding tasks on a node.
        part: Images and bytes a part.
    """
    memory = machines.memory_bytes
    decoder_bytes, join_bytes = config.images.memory_bytes, config.store.memory_bytes
    if memory is not None:
        # All decoders of a node together may take half of it, joins a quarter.
        decoder_bytes = max(_LEAST_LIMIT, min(decoder_bytes, memory // 2 // decoders))
        join_bytes = max(_LEAST_LIMIT, min(join_bytes, memory // 4))
    commit = max(config.embed.commit_every_images, round(images_per_s * _COMMIT_S))
    return {
        "images": {"memory_bytes": decoder_bytes},
        "embed": {
            "part_images": part[0],
            "part_bytes": part[1],
            "batch_size": _GPU_BATCH if machines.gpus else config.embed.batch_size,
            "cpus_per_worker": float(threads),
            "gpus_per_worker": 1.0 if machines.gpus else 0.0,
            "min_workers": 1,
            "max_workers": embed_workers * machines.nodes,
            "commit_every_images": commit,
        },
        "store": {"memory_bytes": join_bytes},
    }
