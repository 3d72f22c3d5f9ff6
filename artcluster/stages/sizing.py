"""How long an archive takes on given machines, what it needs, and how to set the job for it.

Pure arithmetic over what was counted and measured. Costs of processes are this project's own
measurements (docs/sizing.md says of what); everything else comes in as an argument.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from artcluster.config import Config
from artcluster.stages.hardware import Hardware

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
_CONTENT_BYTES = 68
"""A content's name in the driver, when it clusters."""
_PART_SECONDS = 10.0
_FEWEST_PART, _MOST_PART = 256, 1024
_MOST_SHARDS = 100_000
_CPU_THREADS = 2
_GPU_BATCH = 256
_COMMIT_S = 60.0
_GIB = 1 << 30


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
        decode_workers: CPUs left for decoding on a node.
        part_bytes: Pixels of a part.
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
    decode_workers: float
    part_bytes: int
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
    threads = 1 if machines.gpus else min(_CPU_THREADS, machines.cpus)
    workers, decoders = _share(rates, machines, threads)
    if machines.gpus:
        embedding = machines.gpus / rates.embed_s
        decoding = decoders / rates.decode_s
        bound_by = "embedding" if embedding < decoding else "decoding"
        rate = min(embedding, decoding)
    else:
        # Both steps take the same CPUs: what one leaves, the other has.
        rate = machines.cpus / (rates.decode_s + rates.embed_s)
        bound_by = "embedding" if rates.embed_s > rates.decode_s else "decoding"
    rate *= JOB_SHARE * machines.nodes
    part_images = _part_images(work, rate / max(1, workers * machines.nodes))
    file_bytes = int(min(part_images * work.image_bytes * 1.25, _GIB))
    pixel_bytes = part_images * 3 * work.side_px**2
    tasks = max(1, math.ceil(decoders))
    # A decoder unpacks a picture to four bytes a pixel, and resizes it in floats at worst.
    decoder = DECODER_BYTES + file_bytes + pixel_bytes + 8 * work.pixels
    embedder = EMBEDDER_BYTES + (0 if not machines.gpus else _GIB)
    parts_on_the_way = 2 * tasks + 2 * workers + 2
    object_store = parts_on_the_way * pixel_bytes
    registry = _REGISTRY_BYTES * (work.known + work.images)
    names = _CONTENT_BYTES * (work.known + work.images)
    driver = DRIVER_BYTES + config.store.memory_bytes + max(registry, names)
    node = RAY_BYTES + tasks * decoder + workers * embedder
    settings: dict[str, dict[str, Any]] = {
        "archive": {"fetch_threads": config.archive.fetch_threads},
        "images": {"memory_bytes": _decoder_limit(machines, tasks, config)},
        "embed": {
            "part_images": part_images,
            "part_bytes": max(file_bytes, 64 << 20),
            "batch_size": _GPU_BATCH if machines.gpus else config.embed.batch_size,
            "cpus_per_worker": float(threads),
            "gpus_per_worker": 1.0 if machines.gpus else 0.0,
            "min_workers": 1,
            "max_workers": workers * machines.nodes,
            "commit_every_images": max(config.embed.commit_every_images, round(rate * _COMMIT_S)),
        },
        "store": {"memory_bytes": _join_limit(machines, config)},
    }
    parts = math.ceil(work.images / part_images)
    seconds = work.images / rate
    commits = math.ceil(
        max(
            work.images / settings["embed"]["commit_every_images"],
            seconds / config.embed.commit_every_s if config.embed.commit_every_s else parts,
        )
    )
    return Sizing(
        images_per_s=rate,
        hours=seconds / 3600,
        bound_by=bound_by,
        embed_workers=workers,
        decode_workers=decoders,
        part_bytes=pixel_bytes,
        node_bytes=node,
        object_store_bytes=object_store,
        driver_bytes=driver,
        vector_bytes=work.images * (4 * work.dim + _ROW_BYTES),
        table_bytes=work.images * 2 * _ROW_BYTES,
        requests={
            "reads": work.images + parts,
            "listings": math.ceil(work.images / 1000),
            "writes": 2 * parts + 2 * commits,
        },
        settings=settings,
        remarks=_remarks(work, machines, node + object_store + driver),
    )


def _share(rates: Rates, machines: Hardware, threads: int) -> tuple[int, float]:
    """Return embedding workers and CPUs for decoding on a node."""
    if machines.gpus:
        return machines.gpus, max(1.0, machines.cpus - machines.gpus)
    share = rates.embed_s / (rates.decode_s + rates.embed_s)
    most = max(1, (machines.cpus - 1) // threads)
    workers = min(most, max(1, round(machines.cpus * share / threads)))
    return workers, max(1.0, machines.cpus - workers * threads)


def _part_images(work: Work, worker_images_per_s: float) -> int:
    """Return images a part: some seconds of a worker, and not too many shards in all.

    >>> _part_images(Work(100_000, 4e5, 1, 224, 1024), 10.0)
    256
    >>> _part_images(Work(100_000_000, 4e5, 1, 224, 1024), 10.0)
    1024
    """
    wanted = max(worker_images_per_s * _PART_SECONDS, work.images / _MOST_SHARDS)
    power = 2 ** round(math.log2(max(wanted, 1.0)))
    return int(min(_MOST_PART, max(_FEWEST_PART, power)))


def _decoder_limit(machines: Hardware, tasks: int, config: Config) -> int:
    """Return the most that one decoder may take, so that half of the memory is theirs together."""
    if machines.memory_bytes is None:
        return config.images.memory_bytes
    fair = machines.memory_bytes // 2 // tasks
    return max(1 << 28, min(config.images.memory_bytes, fair))


def _join_limit(machines: Hardware, config: Config) -> int:
    if machines.memory_bytes is None:
        return config.store.memory_bytes
    return max(1 << 28, min(config.store.memory_bytes, machines.memory_bytes // 4))


def _remarks(work: Work, machines: Hardware, needed: int) -> tuple[str, ...]:
    found = []
    if machines.memory_bytes is not None and needed > machines.memory_bytes:
        found.append(
            f"the driver's node needs about {needed / 1e9:.1f} GB at its peak and has "
            f"{machines.memory_bytes / 1e9:.1f} GB: take fewer CPUs a node, smaller parts, or a "
            "larger head"
        )
    if machines.nodes > 1:
        found.append("that nodes add up without loss is assumed, not measured")
    if work.images > 10_000_000:
        found.append("more than 10 million images were not run by this project")
    return tuple(found)
