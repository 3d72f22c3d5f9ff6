"""`ae-kmeans` and `delius`: k-means on an autoencoder's codes, and DEC's refinement of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeGuard

import numpy as np
import torch

from artcluster.clustering.encoder import encode, encoder_from_state
from artcluster.clustering.guard import PartitionQuality, guard
from artcluster.clustering.kmeans.kmeans import KMeansResult
from artcluster.clustering.model.model import ClusterModel
from artcluster.clustering.model.space import Dense, ModelSpace, Standardise, dense_space
from artcluster.config import ClusterSettings, from_settings
from artcluster.embedders import load_state, save_state
from artcluster.metrics.agreement import cluster_sizes
from artcluster.metrics.silhouette import silhouette
from artcluster.store.layout import PRETRAINED
from artcluster.training.autoencoders import PretrainConfig, pretrain_autoencoder
from artcluster.training.dec import train_dec
from artcluster.training.refinement import DecConfig, DecResult
from artcluster.workflows.clustering.fingerprints import model_params, params
from artcluster.workflows.clustering.methods.base import Fitted, Method, TrainingSet, build_model
from artcluster.workflows.clustering.methods.kmeans import (
    KMEANS_SETTINGS,
    continue_kmeans,
    kmeans_facts,
    seeds,
)
from artcluster.workflows.job import Job, TrainingPlace, fingerprint, training_backend


def guarded(
    job: Job,
    x_ND: np.ndarray,
    *,
    before: Fitted,
    after: Fitted,
    after_ND: np.ndarray | None = None,
    margin: float | None = None,
) -> Fitted:
    """Return the refined model, or the one it began from if refinement did harm; say which.

    Args:
        x_ND: The embedder's vectors, where both are judged, and which the first model takes.
        before: What refinement began from.
        after: What it led to; its verdict says how it ended.
        after_ND: The vectors that the refined model takes; by default the same.
        margin: How far the silhouette may fall; by default `cluster.dec.guard_margin`.
    """
    settings = job.config.cluster
    with job.timings.stage("guard"):
        verdict = guard(
            _quality(before.model, x_ND, x_ND, settings),
            _quality(after.model, x_ND if after_ND is None else after_ND, x_ND, settings),
            silhouette_margin=settings.dec.guard_margin if margin is None else margin,
        )
    if verdict.keep_refinement:
        return replace(after, verdict=f"kept; {after.verdict}")
    reasons = "; ".join(verdict.reasons)
    job.progress.say(f"Refinement made the clusters worse: {reasons}. The seeds' result is kept.")
    return Fitted(
        before.model, after.training, f"discarded, the seeds' clusters are kept: {reasons}"
    )


def _quality(
    model: ClusterModel, taken_ND: np.ndarray, x_ND: np.ndarray, settings: ClusterSettings
) -> PartitionQuality:
    labels_N = model.predict(taken_ND, threads=torch.get_num_threads()).cluster
    separation = silhouette(
        x_ND, labels_N, limit=settings.max_silhouette_vectors, seed=settings.seed
    )
    sizes = cluster_sizes(model.centroid_rows(labels_N), model.k)
    return PartitionQuality(sizes.tolist(), separation)


_PRETRAINING = ("seed", "pretrain", "dec.hidden", "dec.code_dim", "dec.initialisation")


@dataclass(frozen=True)
class Pretrained:
    """A trained autoencoder.

    Attributes:
        state: Its tensors.
        training: Steps and losses, as JSON has it.
    """

    state: dict[str, torch.Tensor]
    training: dict[str, Any]


def pretraining_config(settings: ClusterSettings) -> PretrainConfig:
    """Return how the autoencoder is trained whose encoder DEC refines."""
    return from_settings(
        PretrainConfig,
        settings.pretrain,
        seed=settings.seed,
        hidden=settings.dec.hidden,
        code_dim=settings.dec.code_dim,
        initialisation=settings.dec.initialisation,
    )


def pretrained_autoencoder(job: Job, place: TrainingPlace, data: TrainingSet) -> Pretrained:
    """Return the autoencoder, trained now or by an earlier job of the same settings and vectors."""
    settings = job.config.cluster
    config = pretraining_config(settings)
    facts = [params(settings, ("scaling", *_PRETRAINING)), data.embedder_id, data.digest]
    name = f"autoencoder-{fingerprint(facts)}"
    path = PRETRAINED.path(name)
    if job.store.exists(f"{path}.json"):
        training = json.loads(job.store.read_bytes(f"{path}.json"))
        state = load_state(job.store.read_bytes(f"{path}.safetensors"))
        return Pretrained(state, training | {"cached": True})
    with job.timings.stage("pretrain"):
        trained = place.train(
            partial(pretrain_autoencoder, config=config),
            data.scaled(settings.scaling),
            name,
        )
    training = {"steps": trained.steps, "losses": [float(loss) for loss in trained.losses]}
    job.store.write_bytes(f"{path}.safetensors", save_state(trained.state))
    job.store.write_bytes(f"{path}.json", json.dumps(training).encode())
    return Pretrained(trained.state, training)


def refinement_facts(refined: DecResult) -> dict[str, Any]:
    """Return what a refinement told, as JSON has it."""
    facts = {
        "iterations": refined.iterations,
        "converged": refined.converged,
        "history": [asdict(refresh) for refresh in refined.history],
    }
    return {"dec": facts}


def how_it_ended(refined: DecResult) -> str:
    """Return whether a refinement converged, and after how long, in words."""
    how = "converged" if refined.converged else "stopped at max_iterations"
    return f"{how} after {refined.iterations} iterations"


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
    place = training_backend(job, len(data.x_ND))
    autoencoder = pretrained_autoencoder(job, place, data)
    encoder = encoder_from_state(autoencoder.state)
    codes_ND = encode(encoder, data.scaled(settings.scaling), device=torch.device("cpu"))
    with job.timings.stage("k-means"):
        found = seeds(codes_ND, settings)
    model = _model(settings, data, found.centroids_KD, autoencoder.state)
    training = {"pretrain": autoencoder.training} | kmeans_facts(found)
    return _Seeded(place, autoencoder, found, Fitted(model, training))


def _refined(job: Job, data: TrainingSet, seeded: _Seeded) -> DecResult:
    settings = job.config.cluster
    config = from_settings(DecConfig, settings.dec, seed=settings.seed)
    facts = [model_params(settings), data.embedder_id, data.digest]
    loop = partial(
        train_dec,
        autoencoder=seeded.autoencoder.state,
        centroids_KD=seeded.seeds.centroids_KD,
        config=config,
    )
    rows_ND = data.scaled(settings.scaling)
    return seeded.place.train(loop, rows_ND, f"dec-{fingerprint(facts)}")


def _model(
    settings: ClusterSettings,
    data: TrainingSet,
    centroids_KD: np.ndarray,
    encoder: Mapping[str, torch.Tensor],
) -> ClusterModel:
    """Return a model of centroids among the codes of an encoder."""
    network = encoder_from_state(encoder)
    layers = [(layer.weight, layer.bias) for layer in network.layers if _is_linear(layer)]
    return build_model(
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


def continue_dec(job: Job, data: TrainingSet, last: ClusterModel) -> Fitted:
    """Refine the last encoder and centroids by DEC on the vectors of today."""
    settings = job.config.cluster
    config = from_settings(DecConfig, settings.dec, seed=settings.seed)
    facts = [model_params(settings), fingerprint(last.to_files()["model.json"].decode())]
    loop = partial(
        train_dec,
        autoencoder=_encoder_state(last.space),
        centroids_KD=last.centroids_KD,
        config=config,
    )
    with job.timings.stage("refine"):
        refined = training_backend(job, len(data.x_ND)).train(
            loop, data.scaled(settings.scaling), f"dec-{fingerprint([*facts, data.digest])}"
        )
    layers = Dense(tuple(_layers(refined.encoder)))
    space = ModelSpace(last.dim, (*last.space.steps[:-1], layers))
    return guarded(
        job,
        data.x_ND,
        before=Fitted(build_model(settings, data, last.space, last.centroids_KD), {}),
        after=Fitted(
            build_model(settings, data, space, refined.centroids_KD),
            refinement_facts(refined),
            how_it_ended(refined),
        ),
    )


def _encoder_state(space: ModelSpace) -> dict[str, torch.Tensor]:
    """Return the state of the dense encoder that a space was made of."""
    scales = [step.scale_D[0] for step in space.steps if isinstance(step, Standardise)]
    dense = space.steps[-1]
    assert isinstance(dense, Dense)
    state = {"input_scale": scales[0] if scales else torch.ones(())}
    for number, (weight, bias) in enumerate(dense.layers):
        state[f"layers.{2 * number}.weight"] = weight
        state[f"layers.{2 * number}.bias"] = bias
    return state


def _layers(state: Mapping[str, torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    count = sum(name.endswith(".weight") for name in state)
    return [
        (state[f"layers.{2 * number}.weight"], state[f"layers.{2 * number}.bias"])
        for number in range(count)
    ]


METHODS = (
    Method(
        name="delius",
        summary="DEC on vectors: an encoder and its centroids refined together (DELIUS)",
        fit=fit_delius,
        settings=(*KMEANS_SETTINGS, "max_silhouette_vectors", "pretrain", "dec"),
        warm=continue_dec,
    ),
    Method(
        name="ae-kmeans",
        summary="k-means on the codes of a dense autoencoder, from which `delius` begins",
        fit=fit_ae_kmeans,
        settings=(
            *KMEANS_SETTINGS,
            *_PRETRAINING,
        ),
        warm=continue_kmeans,
    ),
)
