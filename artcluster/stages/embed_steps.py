"""The two steps of an embedding job, and what of the machine each of their workers gets."""

import pyarrow.compute as pc

from artcluster.embedders import finds_faces
from artcluster.stages.decode_part import DecodePart
from artcluster.stages.embed_part import EmbedPart
from artcluster.stages.embedder import ReadyEmbedder
from artcluster.stages.executor import Executor, Step
from artcluster.stages.job import Job
from artcluster.stages.leftovers import half_committed
from artcluster.stages.scanning import Archive, done_table, fetch_settings

_CPU_THREADS = 2


def embed_steps(job: Job, archive: Archive, embedder: ReadyEmbedder) -> list[Step]:
    """Return the step that decodes a part, and the one that embeds it.

    Args:
        job: What to work with.
        archive: Where the images lie.
        embedder: The embedder, its weights in the store.
    """
    settings = job.config.embed
    resources = job.executor.resources()
    # The network that tells faces apart runs on one thread of a CPU.
    on_cpu = finds_faces(embedder.embedder_id)
    gpus = 0.0 if on_cpu else settings.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if resources.gpus >= 1 else 0.0
    threads = 1 if gpus or on_cpu else _CPU_THREADS
    cpus = settings.cpus_per_worker or min(threads, resources.cpus)
    partition = pc.field("embedder_id") == embedder.embedder_id
    known = job.store.table(done_table(embedder.embedder_id)).batches(["content_id"], partition)
    decode = DecodePart(
        store=job.store,
        archive=archive.location,
        embedder=embedder,
        claims=job.executor.claims(batch.column(0).to_pylist() for batch in known),
        images=job.config.images,
        fetch=fetch_settings(job.config),
        boxes=half_committed(job.store, embedder.embedder_id, job.config),
    )
    embed = EmbedPart(
        store=job.store,
        embedder=embedder,
        settings=settings,
        device="cuda" if gpus else "cpu",
        threads=max(1, int(cpus)),
    )
    most = settings.max_workers or max(settings.min_workers, int(resources.cpus))
    return [
        Step("decode", decode, cpus=1.0),
        Step("embed", embed, cpus=cpus, gpus=gpus, workers=(settings.min_workers, most)),
    ]


def most_gpu_workers(executor: Executor, embed: Step) -> int:
    """Return how many embedding workers there can be with a GPU, or a share of one."""
    if not embed.gpus:
        return 0
    assert embed.workers is not None
    return min(embed.workers[1], int(executor.resources().gpus / embed.gpus))
