"""Settings for a job of a known size on known machines, as sections of a config."""

import math
from collections.abc import Mapping
from typing import Any

from artcluster.config import Config
from artcluster.stages.hardware import Hardware

_PART_S = 10.0
_FEWEST_PART, _MOST_PART = 256, 1024
_MOST_PARTS = 100_000
_GPU_BATCH = 256
_COMMIT_S = 60.0
_LEAST_LIMIT = 1 << 28
_LEAST_PART_BYTES, _MOST_PART_BYTES = 64 << 20, 1 << 30


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


def propose(
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
