"""Vectors of pixels that are decoded already: a network's codes of the kept shards."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.config import EmbedSettings
from artcluster.runtime.executor import Step
from artcluster.schema import EMBEDDINGS
from artcluster.store import Store, shard_name
from artcluster.store.vectors import read_ids
from artcluster.workflows.embedding.embed_task import write_vectors
from artcluster.workflows.embedding.embedder import ReadyEmbedder, load_embedder, record_embedder
from artcluster.workflows.embedding.pixels import LoadPixels
from artcluster.workflows.job import Job, TrainingPlace

_ROWS_A_SHARD = 65_536


@dataclass(frozen=True)
class EncodePixels:
    """Encodes shards of pixels. Picklable; called once in each worker process."""

    store: Store
    embedder: ReadyEmbedder
    settings: EmbedSettings
    device: str
    threads: int

    def __call__(self) -> Callable[[tuple[int, LoadPixels]], tuple[int, np.ndarray]]:
        """Load the embedder and return the step: from a numbered shard to its numbered codes."""
        embed = load_embedder(self.store, self.embedder, self.settings, self.device, self.threads)

        def encode(item: tuple[int, LoadPixels]) -> tuple[int, np.ndarray]:
            number, load = item
            return number, embed(load())

        return encode


def encode_pixels(
    job: Job,
    place: TrainingPlace,
    embedder: ReadyEmbedder,
    loads: Sequence[LoadPixels],
    pictures: int,
) -> np.ndarray:
    """Return the vectors of all rows of some shards, in their order, float32 (N, D).

    Args:
        place: Where the network was trained, and is at hand.
        embedder: The embedder, its weights in the store.
        loads: The shards.
        pictures: How many they hold.
    """
    resources = place.executor.resources()
    threads = max(1, int(min(2, resources.cpus)))
    step = EncodePixels(
        job.store, embedder, job.config.embed, "cuda" if place.use_gpu else "cpu", threads
    )
    workers = (1, max(1, int(resources.gpus if place.use_gpu else resources.cpus // threads)))
    steps = [
        Step("encode", step, cpus=threads, gpus=1.0 if place.use_gpu else 0.0, workers=workers)
    ]
    codes: dict[int, np.ndarray] = {}
    with job.timings.stage("encode", pictures):
        for number, found in place.executor.stream(
            enumerate(loads), steps, stall_timeout_s=job.config.embed.stall_timeout_s
        ):
            codes[number] = np.array(found)
            job.progress.advance("encode", len(found))
    return np.concatenate([codes[number] for number in range(len(loads))])


def without_vector(store: Store, embedder_id: str, content_ids: Iterable[str]) -> frozenset[str]:
    """Return those of some contents that have no vector of an embedder."""
    wanted = pa.array(sorted(set(content_ids)), pa.string())
    for _, ids in read_ids(store, embedder_id):
        wanted = wanted.filter(pc.invert(pc.is_in(wanted, ids)))
    return frozenset(wanted.to_pylist())


def write_codes(
    job: Job, embedder: ReadyEmbedder, content_ids: Sequence[str], codes_ND: np.ndarray
) -> None:
    """Commit vectors to the store, but for contents that have theirs, and record the embedder.

    Raises:
        LeaseHeldError: Another job writes vectors of this embedder.
    """
    embedder_id = embedder.embedder_id
    with job.lease(f"embeddings={embedder_id}", EMBEDDINGS) as lease:
        new = without_vector(job.store, embedder_id, content_ids)
        rows = [row for row, content in enumerate(content_ids) if content in new]
        for start in range(0, len(rows), _ROWS_A_SHARD):
            some = rows[start : start + _ROWS_A_SHARD]
            contents = [content_ids[row] for row in some]
            name = shard_name(embedder_id, *contents)
            shard = write_vectors(job.store, embedder_id, name, contents, codes_ND[some])
            lease.check()
            job.store.commit_shards(EMBEDDINGS, [shard], lease.fence)
        record_embedder(job.store, embedder, {"pixels": "kept, not decoded again"})
