"""Refitting from the last model: its centroids, or its encoder and centroids, are the start."""

from collections.abc import Callable, Mapping
from functools import partial

import torch

from artcluster.clustering.kmeans.kmeans import kmeans
from artcluster.clustering.model.model import ClusterModel
from artcluster.clustering.model.space import Dense, ModelSpace, Standardise
from artcluster.training.dec import train_dec
from artcluster.workflows.clustering.methods.base import Fitted, TrainingSet, build_model
from artcluster.workflows.clustering.methods.dec import (
    dec_config,
    guarded,
    how_it_ended,
    refinement_facts,
)
from artcluster.workflows.clustering.methods.kmeans import fit_spherical, kmeans_facts
from artcluster.workflows.job import Job, digest, training_backend


def continue_kmeans(job: Job, data: TrainingSet, last: ClusterModel) -> Fitted:
    """Iterate k-means from the last centroids, in the last model's space, which stays as it is."""
    settings = job.config.cluster
    with job.timings.stage("k-means"):
        found = kmeans(
            last.transform(data.x_ND, threads=torch.get_num_threads()),
            last.k,
            init_KD=last.centroids_KD,
            gpu="auto" if settings.use_gpu is None else settings.use_gpu,
        )
    return Fitted(build_model(settings, data, last.space, found.centroids_KD), kmeans_facts(found))


def continue_dec(job: Job, data: TrainingSet, last: ClusterModel) -> Fitted:
    """Refine the last encoder and centroids by DEC on the vectors of today."""
    settings = job.config.cluster
    config = dec_config(settings)
    facts = [config.deciding(), digest(last.to_files()["model.json"].decode())]
    loop = partial(
        train_dec,
        autoencoder=_encoder_state(last.space),
        centroids_KD=last.centroids_KD,
        config=config,
    )
    with job.timings.stage("refine"):
        refined = training_backend(job, len(data.x_ND)).train(
            loop, data.scaled(settings.scaling), f"dec-{digest([*facts, data.digest])}"
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


WARM: Mapping[str, Callable[[Job, TrainingSet, ClusterModel], Fitted]] = {
    "kmeans": continue_kmeans,
    "ae-kmeans": continue_kmeans,
    "pca-kmeans": continue_kmeans,
    "cae-kmeans": continue_kmeans,
    "delius": continue_dec,
    "spherical-kmeans": fit_spherical,
}

"""Method → how it goes on from a model; a method that is not here is always fitted anew."""


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
