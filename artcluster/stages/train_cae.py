"""The embedder `cae`: a convolutional autoencoder trained on the archive itself, then frozen."""

import json
from collections.abc import Sequence
from functools import partial

import torch

from artcluster.archive.parts import PartRef
from artcluster.archive.plan import part_refs
from artcluster.archive.states import Known
from artcluster.clustering.kmeans import sample_indices
from artcluster.embedders import load_state, save_state
from artcluster.embedders.autoencoder import ConvolutionalAutoencoder
from artcluster.embedders.catalogue import EMBEDDERS
from artcluster.errors import UsageError
from artcluster.schema import EMBEDDINGS, IMAGES
from artcluster.stages.digest import digest
from artcluster.stages.embedder import pixel_policy
from artcluster.stages.executor import Step
from artcluster.stages.job import Job
from artcluster.stages.pixel_shards import DecodePixels, LoadPixels, rows_of_array
from artcluster.stages.scanning import Archive, Planning, check_not_empty, fetch_settings
from artcluster.stages.training_place import training_place
from artcluster.training.batches import VIRTUAL_SHARDS
from artcluster.training.pixels import CaeConfig, train_cae
from artcluster.training.reconstruction import Reconstruction
from artcluster.training.worker import Worker


def trained_autoencoder(job: Job, archive: Archive) -> dict[str, torch.Tensor]:
    """Return the encoder's tensors, trained now or by an earlier job over this archive.

    The same settings give the same embedder however the archive grows: vectors of new images
    must mix with those of old ones. Another seed or budget makes another embedder.

    Raises:
        UsageError: The archive has no picture to train on.
    """
    settings = job.config.embed
    policy = pixel_policy(job.config)
    side = settings.input_px or EMBEDDERS["cae"].input_px
    facts = [archive.archive_id, policy.pixels_id, side, settings.seed]
    training = settings.cae.model_dump(mode="json")
    name = f"cae-{digest([*facts, training])}"
    path = f"pretrained/{name}.safetensors"
    if job.store.exists(path):
        return load_state(job.store.read_bytes(path))
    paths = _decoded(job, archive, side, f"pixels/{digest(facts)}")
    images = sum(map(rows_of_array, paths))
    if not images:
        raise UsageError(f"{archive.location} holds no picture that `cae` could be trained on")
    config = CaeConfig(
        epochs=settings.cae.epochs,
        min_steps=settings.cae.min_steps,
        max_steps=settings.cae.max_steps,
        batch_size=settings.cae.batch_size,
        learning_rate=settings.cae.learning_rate,
        seed=settings.seed,
    )
    place = training_place(job, images)
    full = [path for path in paths if rows_of_array(path)]
    shards = [full[start::VIRTUAL_SHARDS] for start in range(min(VIRTUAL_SHARDS, len(full)))]
    with job.timings.stage("train cae"):
        trained = place.executor.train(
            partial(_train, config=config, side_px=side),
            [LoadPixels(job.store, shard) for shard in shards],
            workers=place.workers,
            use_gpu=place.use_gpu,
            name=name,
            checkpoint_uri=place.checkpoints,
        )
    losses = f"{trained.losses[0]:.4f} to {trained.losses[-1]:.4f}"
    job.progress.say(
        f"Trained `cae` on {images:,} images for {trained.steps:,} steps; the reconstruction's "
        f"mean squared error went from {losses}."
    )
    job.store.write_bytes(path, save_state(trained.state))
    return trained.state


def _train(worker: Worker, *, config: CaeConfig, side_px: int) -> Reconstruction:
    network = ConvolutionalAutoencoder(input_px=side_px, seed=config.seed)
    return train_cae(worker, network, config, row_shape=(side_px, side_px, 3))


def _decoded(job: Job, archive: Archive, side: int, folder: str) -> Sequence[str]:
    """Decode the archive, or whole parts of it drawn at random; return the arrays' paths."""
    done = f"{folder}/done.json"
    if job.store.exists(done):
        paths: list[str] = json.loads(job.store.read_bytes(done))
        return paths
    policy = pixel_policy(job.config)
    planning = Planning(
        job.store, job.config, archive, folder.replace("/", "-"), policy, job.store.location
    )
    known = Known(IMAGES.schema.empty_table(), EMBEDDINGS.schema.empty_table(), policy.policy_id)
    with job.timings.stage("list", unit="files"):
        scan = planning.scan()
    with planning.compared(scan, known) as comparison:
        check_not_empty(comparison.summary, archive)
        plan = planning.write(comparison, job.executor.resources().cpus)
    refs = _sample(list(part_refs(job.store.location, plan)), job)
    step = DecodePixels(
        job.store,
        archive.location,
        folder,
        policy,
        (side, side),
        job.config.images,
        fetch_settings(job.config),
    )
    with job.timings.stage("decode", sum(ref.images for ref in refs)):
        stream = job.executor.stream(
            refs, [Step("decode", step)], stall_timeout_s=job.config.embed.stall_timeout_s
        )
        paths = []
        for path in stream:
            paths.append(path)
            job.progress.advance("decode", rows_of_array(path))
    paths.sort()
    job.store.write_bytes(done, json.dumps(paths).encode())
    return paths


def _sample(refs: list[PartRef], job: Job) -> list[PartRef]:
    images = sum(ref.images for ref in refs)
    limit = job.config.embed.cae.max_images
    if images <= limit:
        return refs
    wanted = max(1, len(refs) * limit // images)
    job.progress.say(
        f"`cae` is trained on {wanted:,} of {len(refs):,} parts of the archive "
        f"(embed.cae.max_images is {limit:,})."
    )
    return [refs[row] for row in sample_indices(len(refs), wanted, job.config.embed.seed)]
