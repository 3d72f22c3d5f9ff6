"""`ae-kmeans` and `delius`: k-means on an autoencoder's codes, and DEC's refinement of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

import numpy as np
import torch

from artcluster.clustering.encoder import encode, encoder_from_state
from artcluster.clustering.kmeans import KMeansResult
from artcluster.clustering.model import ClusterModel
from artcluster.clustering.model_space import dense_space
from artcluster.config import ClusterSettings
from artcluster.stages.digest import digest
from artcluster.stages.job import Job
from artcluster.stages.methods.guarded import guarded
from artcluster.stages.methods.made_model import made_model
from artcluster.stages.methods.pretrained import Pretrained, pretrained_autoencoder
from artcluster.stages.methods.refined import how_it_ended, refinement_facts
from artcluster.stages.methods.seeds import kmeans_facts, seeds
from artcluster.stages.methods.training_set import Fitted, TrainingSet
from artcluster.stages.training_place import TrainingPlace, training_place
from artcluster.training.dec import train_dec
from artcluster.training.refinement import DecConfig, DecResult


@dataclass(frozen=True)
class _Seeded:
    """A trained autoencoder and the clusters of its codes."""

    place: TrainingPlace
    autoencoder: Pretrained
    seeds: KMeansResult
    fitted: Fitted


def fit_ae_kmeans(job: Job, data: TrainingSet) -> Fitted:
    """Fit k-means on the codes of an autoencoder."""
    return _seeded(job, data).fitted


def fit_delius(job: Job, data: TrainingSet) -> Fitted:
    """Refine the encoder and the centroids of `ae-kmeans` by DEC, and keep what is better."""
    seeded = _seeded(job, data)
    with job.timings.stage("refine"):
        refined = _refined(job, data, seeded)
    model = _model(job.config.cluster, data, refined.centroids_KD, refined.encoder)
    return guarded(
        job,
        data.x_ND,
        before=seeded.fitted,
        after=Fitted(
            model,
            {**seeded.fitted.training, **refinement_facts(refined)},
            how_it_ended(refined),
        ),
    )


def _seeded(job: Job, data: TrainingSet) -> _Seeded:
    settings = job.config.cluster
    place = training_place(job, len(data.x_ND))
    autoencoder = pretrained_autoencoder(job, place, data)
    encoder = encoder_from_state(autoencoder.state)
    codes_ND = encode(encoder, data.scaled(settings.scaling), device=torch.device("cpu"))
    with job.timings.stage("k-means"):
        found = seeds(codes_ND, settings)
    model = _model(settings, data, found.centroids_KD, autoencoder.state)
    training = {"pretrain": autoencoder.training} | kmeans_facts(found)
    return _Seeded(place, autoencoder, found, Fitted(model, training))


def dec_config(settings: ClusterSettings) -> DecConfig:
    """Return how DEC refines."""
    return DecConfig(
        refresh_every=settings.dec.refresh_every,
        tolerance=settings.dec.tolerance,
        max_iterations=settings.dec.max_iterations,
        batch_size=settings.dec.batch_size,
        learning_rate=settings.dec.learning_rate,
        seed=settings.seed,
    )


def _refined(job: Job, data: TrainingSet, seeded: _Seeded) -> DecResult:
    settings = job.config.cluster
    config = dec_config(settings)
    facts = [config.deciding(), settings.model_dump(mode="json"), data.embedder_id, data.digest]
    loop = partial(
        train_dec,
        autoencoder=seeded.autoencoder.state,
        centroids_KD=seeded.seeds.centroids_KD,
        config=config,
    )
    rows_ND = data.scaled(settings.scaling)
    return seeded.place.train(loop, rows_ND, f"dec-{digest(facts)}")


def _model(
    settings: ClusterSettings,
    data: TrainingSet,
    centroids_KD: np.ndarray,
    encoder: Mapping[str, torch.Tensor],
) -> ClusterModel:
    """Return a model of centroids among the codes of an encoder."""
    network = encoder_from_state(encoder)
    layers = [(layer.weight, layer.bias) for layer in network.layers if _is_linear(layer)]
    return made_model(
        settings,
        data,
        dense_space(
            layers,
            input_scale=float(network.input_scale),
            unit_length=settings.scaling == "unit",
        ),
        centroids_KD,
    )


def _is_linear(layer: torch.nn.Module) -> TypeGuard[torch.nn.Linear]:
    return isinstance(layer, torch.nn.Linear)
