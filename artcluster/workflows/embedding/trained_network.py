"""Embedders that are trained on the archive itself, once, then frozen: autoencoders and PCA."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from artcluster.archive.scan import Scan
from artcluster.clustering.kmeans.kmeans import sample_indices
from artcluster.config import CaeSettings, EmbedSettings, PcaSettings, from_settings
from artcluster.embedders import defaults_of, load_state, save_state
from artcluster.embedders.catalogue import components_of
from artcluster.embedders.trained_networks import AUTOENCODERS
from artcluster.errors import UsageError
from artcluster.store.layout import PRETRAINED
from artcluster.training.autoencoders import train_cae
from artcluster.training.principal_components import PcaConfig, principal_components
from artcluster.training.reconstruction import ReconstructionConfig
from artcluster.training.worker import Worker
from artcluster.workflows.archives import Archive
from artcluster.workflows.embedding.embedder import pixel_policy
from artcluster.workflows.embedding.pixels import PixelShard, decoded, loaders
from artcluster.workflows.job import WORTH_A_CLUSTER_PICTURES, Job, fingerprint, training_backend
from artcluster.workflows.legacy_ids import legacy_network

Tensors = dict[str, torch.Tensor]


def trained_network(job: Job, archive: Archive, scan: Scan | None = None) -> Tensors:
    """Return the tensors of the configured network, trained now or by an earlier job.

    The same settings give the same embedder however the archive grows: vectors of new images
    must mix with those of old ones. Another seed or budget makes another embedder.

    Args:
        job: What to work with; `embed` names the network.
        archive: What to train on.
        scan: Its listing; None to list it now.

    Raises:
        UsageError: The archive has no picture to train on.
    """
    name = _name(job, archive)
    path = PRETRAINED.path(name)
    if job.store.exists(f"{path}.safetensors"):
        return load_state(job.store.read_bytes(f"{path}.safetensors"))
    network, side = job.config.embed.backbone, input_px(job.config.embed)
    settings = _settings(job.config.embed)
    shards = _sampled(decoded(job, archive, scan, side, settings.max_images), settings.max_images)
    found = loaders(job.store, shards)
    images = sum(len(contents) for _, contents in found)
    if not images:
        raise UsageError(
            f"{archive.location} holds no picture that {network!r} could be trained on: "
            "`artcluster status` counts what was rejected, and why"
        )
    place = training_backend(job, images, WORTH_A_CLUSTER_PICTURES)
    with job.timings.stage(f"train {network}"):
        state, facts = place.train_shards(
            _loop(job.config.embed, side),
            [load for load, _ in found],
            name,
        )
    job.progress.say(f"Trained `{network}` on {images:,} images: {_told(facts)}.")
    job.store.write_bytes(f"{path}.json", json.dumps({"images": images, **facts}).encode())
    job.store.write_bytes(f"{path}.safetensors", save_state(state))
    return state


def input_px(settings: EmbedSettings) -> int:
    """Return the side of the pixels that the configured network takes."""
    return settings.input_px or defaults_of(settings.backbone).input_px


def max_images(settings: EmbedSettings) -> int:
    """Return how many pictures the configured network is trained on at most."""
    return _settings(settings).max_images


def _name(job: Job, archive: Archive) -> str:
    """Name what decides the network: the archive, its pixels, and how it is trained."""
    settings = job.config.embed
    training, pixels_id = _settings(settings), pixel_policy(job.config).pixels_id
    facts = [archive.archive_id, pixels_id, input_px(settings), settings.seed]
    name = settings.backbone.replace(":", "-")
    before = f"{name}-{legacy_network(facts, training)}"
    if job.store.exists(PRETRAINED.path(f"{before}.safetensors")):
        return before
    chosen = training.model_dump(mode="json", exclude_defaults=True)
    return f"{name}-{fingerprint([*facts, chosen])}"


def _settings(settings: EmbedSettings) -> CaeSettings | PcaSettings:
    if components_of(settings.backbone) is not None:
        return settings.pca
    return settings.cae if settings.backbone == "cae" else settings.genre


def _loop(settings: EmbedSettings, side: int) -> Callable[[Worker], tuple[Tensors, dict[str, Any]]]:
    components = components_of(settings.backbone)
    if components is not None:
        found = from_settings(PcaConfig, settings.pca, components=components, seed=settings.seed)
        return partial(_find_components, config=found, side=side)
    training = _settings(settings)
    assert isinstance(training, CaeSettings)
    config = reconstruction_config(settings.backbone, training, settings.seed)
    return partial(_train, network=settings.backbone, config=config, side=side)


def reconstruction_config(network: str, training: CaeSettings, seed: int) -> ReconstructionConfig:
    """Return how an autoencoder is trained: by its paper's optimiser, for as long as is set."""
    optimizer = "adamax" if network == "cae" else "adam"
    return from_settings(ReconstructionConfig, training, seed=seed, optimizer=optimizer)


def _train(
    worker: Worker, *, network: str, config: ReconstructionConfig, side: int
) -> tuple[Tensors, dict[str, Any]]:
    autoencoder = AUTOENCODERS[network](input_px=side, seed=config.seed)
    trained = train_cae(worker, autoencoder, config, row_shape=(side, side, 3))
    return trained.state, {"steps": trained.steps, "losses": list(trained.losses)}


def _find_components(
    worker: Worker, *, config: PcaConfig, side: int
) -> tuple[Tensors, dict[str, Any]]:
    found = principal_components(worker, config, row_shape=(side, side, 3))
    explained = found.variance_C.sum().item() / max(found.total_variance, 1e-30)
    facts = {"passes": found.passes, "converged": found.converged, "explained": explained}
    return {"mean": found.mean_P, "components": found.components_CP}, facts


def _told(facts: dict[str, Any]) -> str:
    if "losses" in facts:
        first, last = facts["losses"][0], facts["losses"][-1]
        return (
            f"{facts['steps']:,} steps; the reconstruction's mean squared error went from "
            f"{first:.4f} to {last:.4f}"
        )
    how = "converged" if facts["converged"] else "stopped"
    return f"{how} after {facts['passes']} passes; {facts['explained']:.1%} of the variance"


def _sampled(shards: list[PixelShard], max_images: int) -> list[PixelShard]:
    """Draw whole shards of at most so many images, where another network wanted more."""
    images = sum(len(shard.content_ids) for shard in shards)
    if images <= max_images:
        return shards
    wanted = max(1, len(shards) * max_images // images)
    return [shards[row] for row in sample_indices(len(shards), wanted, seed=0)]
