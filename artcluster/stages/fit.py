"""Fitting a model to vectors: k-means on them, on an autoencoder's codes, or DEC's refinement."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeGuard

import numpy as np
import pyarrow as pa
import torch

from artcluster.clustering.encoder import encode, encoder_from_state
from artcluster.clustering.guard import PartitionQuality, guard
from artcluster.clustering.kmeans import KMeansResult, kmeans
from artcluster.clustering.kmeans_faiss import kmeans_by_faiss
from artcluster.clustering.model import ClusterModel
from artcluster.clustering.model_fit import fit_model
from artcluster.clustering.model_space import ModelSpace, UnitLength, dense_space
from artcluster.config import ClusterSettings
from artcluster.embedders import load_state, save_state
from artcluster.errors import UsageError
from artcluster.metrics.contingency import cluster_sizes
from artcluster.metrics.silhouette import silhouette
from artcluster.stages.job import Job
from artcluster.stages.training_place import TrainingPlace, training_place
from artcluster.training.pretraining import PretrainConfig, pretrain_autoencoder
from artcluster.training.refinement import DecConfig, DecResult, train_dec


@dataclass(frozen=True)
class TrainingSet:
    """What a model is fitted on.

    Attributes:
        embedder_id: Whose vectors.
        content_ids: Sorted.
        x_ND: float32, in their order.
        sampled_from: How many contents there were to choose from.
    """

    embedder_id: str
    content_ids: pa.Array
    x_ND: np.ndarray
    sampled_from: int

    @property
    def digest(self) -> str:
        """Names the contents."""
        joined = "\n".join(self.content_ids.to_pylist())
        return hashlib.sha256(joined.encode()).hexdigest()


@dataclass(frozen=True)
class Fitted:
    """A model and how it came about.

    Attributes:
        model: The model.
        training: What is worth knowing of its training, as JSON has it.
        verdict: What the guard said of the refinement; '' without one.
    """

    model: ClusterModel
    training: Mapping[str, Any]
    verdict: str = ""


def fit(job: Job, data: TrainingSet) -> Fitted:
    """Fit the configured method.

    Raises:
        UsageError: There are fewer distinct contents than clusters asked for.
    """
    settings = job.config.cluster
    if len(data.x_ND) < settings.k:
        raise UsageError(
            f"cluster.k is {settings.k}, but there are only {len(data.x_ND)} distinct images: ask "
            f"for at most {len(data.x_ND)} clusters (--k)"
        )
    x_ND = _unit(data.x_ND) if settings.scaling == "unit" else data.x_ND
    if settings.method == "kmeans":
        return _fit_kmeans(job, data, x_ND)
    return _fit_autoencoder(job, data, x_ND)


def _fit_kmeans(job: Job, data: TrainingSet, x_ND: np.ndarray) -> Fitted:
    settings = job.config.cluster
    with job.timings.stage("k-means"):
        found = _kmeans(x_ND, settings)
    model = _model(settings, data, found.centroids_KD, None)
    return Fitted(model, _kmeans_facts(found))


def _fit_autoencoder(job: Job, data: TrainingSet, x_ND: np.ndarray) -> Fitted:
    settings = job.config.cluster
    place = training_place(job, len(x_ND))
    with job.timings.stage("pretrain"):
        autoencoder, training = _pretrained(job, place, data, x_ND)
    encoder = encoder_from_state(autoencoder)
    codes_ND = encode(encoder, x_ND, device=torch.device("cpu"))
    with job.timings.stage("k-means"):
        seeds = _kmeans(codes_ND, settings)
    training |= _kmeans_facts(seeds)
    if settings.method == "ae-kmeans":
        return Fitted(_model(settings, data, seeds.centroids_KD, autoencoder), training)
    with job.timings.stage("refine"):
        refined = _refined(job, place, data, x_ND, autoencoder, seeds)
    training["dec"] = {
        "iterations": refined.iterations,
        "converged": refined.converged,
        "history": [asdict(refresh) for refresh in refined.history],
    }
    by_seeds = _model(settings, data, seeds.centroids_KD, autoencoder)
    by_dec = _model(settings, data, refined.centroids_KD, refined.encoder)
    with job.timings.stage("guard"):
        verdict = guard(
            _quality(by_seeds, data, settings),
            _quality(by_dec, data, settings),
            silhouette_margin=settings.dec.guard_margin,
        )
    if verdict.keep_refinement:
        how = "converged" if refined.converged else "stopped at max_iterations"
        return Fitted(by_dec, training, f"kept; {how} after {refined.iterations} iterations")
    reasons = "; ".join(verdict.reasons)
    job.progress.say(f"Refinement made the clusters worse: {reasons}. The seeds' result is kept.")
    return Fitted(by_seeds, training, f"discarded, the seeds' clusters are kept: {reasons}")


def _pretrained(
    job: Job, place: TrainingPlace, data: TrainingSet, x_ND: np.ndarray
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return a trained autoencoder's state: every k and method with the same settings shares it."""
    settings = job.config.cluster
    config = PretrainConfig(
        epochs=settings.pretrain.epochs,
        min_steps=settings.pretrain.min_steps,
        max_steps=settings.pretrain.max_steps,
        batch_size=settings.pretrain.batch_size,
        learning_rate=settings.pretrain.learning_rate,
        seed=settings.seed,
        hidden=settings.dec.hidden,
        code_dim=settings.dec.code_dim,
        initialisation=settings.dec.initialisation,
    )
    name = (
        f"autoencoder-{_digest([asdict(config), settings.scaling, data.embedder_id, data.digest])}"
    )
    path = f"pretrained/{name}"
    if job.store.exists(f"{path}.json"):
        facts = json.loads(job.store.read_bytes(f"{path}.json"))
        return load_state(job.store.read_bytes(f"{path}.safetensors")), facts | {"cached": True}
    trained = place.train(partial(pretrain_autoencoder, config=config), x_ND, name)
    facts = {"steps": trained.steps, "losses": [float(loss) for loss in trained.losses]}
    job.store.write_bytes(f"{path}.safetensors", save_state(trained.state))
    job.store.write_bytes(f"{path}.json", json.dumps({"pretrain": facts}).encode())
    return trained.state, {"pretrain": facts}


def _refined(
    job: Job,
    place: TrainingPlace,
    data: TrainingSet,
    x_ND: np.ndarray,
    autoencoder: dict[str, torch.Tensor],
    seeds: KMeansResult,
) -> DecResult:
    settings = job.config.cluster
    config = DecConfig(
        refresh_every=settings.dec.refresh_every,
        tolerance=settings.dec.tolerance,
        max_iterations=settings.dec.max_iterations,
        batch_size=settings.dec.batch_size,
        learning_rate=settings.dec.learning_rate,
        seed=settings.seed,
    )
    facts = [config.deciding(), settings.model_dump(mode="json"), data.embedder_id, data.digest]
    loop = partial(
        train_dec, autoencoder=autoencoder, centroids_KD=seeds.centroids_KD, config=config
    )
    return place.train(loop, x_ND, f"dec-{_digest(facts)}")


def _kmeans(x_ND: np.ndarray, settings: ClusterSettings) -> KMeansResult:
    engine = kmeans if settings.kmeans_engine == "torch" else kmeans_by_faiss
    return engine(
        x_ND,
        settings.k,
        restarts=settings.restarts,
        seed=settings.seed,
        gpu="auto" if settings.use_gpu is None else settings.use_gpu,
    )


def _kmeans_facts(found: KMeansResult) -> dict[str, Any]:
    facts = {
        "inertia": found.inertia,
        "iterations": found.iterations,
        "non_empty": found.non_empty,
        "restart_inertias": list(found.restart_inertias),
    }
    return {"kmeans": facts}


def _model(
    settings: ClusterSettings,
    data: TrainingSet,
    centroids_KD: np.ndarray,
    encoder: Mapping[str, torch.Tensor] | None,
) -> ClusterModel:
    """Return a model of centroids in the codes of an encoder, or in the vectors themselves."""
    unit_length = settings.scaling == "unit"
    dim = data.x_ND.shape[1]
    if encoder is None:
        space = ModelSpace(dim, (UnitLength(),) if unit_length else ())
    else:
        network = encoder_from_state(encoder)
        layers = [(layer.weight, layer.bias) for layer in network.layers if _is_linear(layer)]
        space = dense_space(layers, input_scale=float(network.input_scale), unit_length=unit_length)
    return fit_model(
        data.x_ND,
        method=settings.method,
        embedder_id=data.embedder_id,
        space=space,
        centroids_KD=centroids_KD,
        seed=settings.seed,
        threads=torch.get_num_threads(),
    )


def _is_linear(layer: torch.nn.Module) -> TypeGuard[torch.nn.Linear]:
    return isinstance(layer, torch.nn.Linear)


def _quality(model: ClusterModel, data: TrainingSet, settings: ClusterSettings) -> PartitionQuality:
    labels_N = model.predict(data.x_ND, threads=torch.get_num_threads()).cluster
    found = silhouette(
        data.x_ND, labels_N, limit=settings.max_silhouette_vectors, seed=settings.seed
    )
    return PartitionQuality(cluster_sizes(labels_N, model.k).tolist(), found.value)


def _unit(x_ND: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(x_ND, axis=1, keepdims=True)
    return x_ND / np.where(norms > 0, norms, 1)


def _digest(facts: Any) -> str:
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
