"""`temi`: self-distillation over nearest neighbours on frozen vectors."""

import numpy as np
import torch

from artcluster.clustering.graphs import nearest_neighbours
from artcluster.clustering.model.space import Dense, ModelSpace, Softmax, Standardise, UnitLength
from artcluster.config import from_settings
from artcluster.training.temi import TemiConfig, TemiResult, train_temi
from artcluster.workflows.clustering.methods.base import (
    Fitted,
    Method,
    TrainingSet,
    build_model,
    pairwise_sample,
)
from artcluster.workflows.job import Job

_SPREAD = 10.0
"""Clusters lie so far along their axes: then the Student-t kernel tells a share of 0.9 from 0.5."""


def fit_temi(job: Job, data: TrainingSet) -> Fitted:
    """Train heads; the model's space is that of their shares, its centroids the pure clusters."""
    settings = job.config.cluster
    sample = pairwise_sample(job, data)
    unit_ND = sample.scaled("unit")
    mean_D = unit_ND.mean(0, dtype=np.float64).astype(np.float32)
    deviation = float(np.sqrt(np.mean((unit_ND - mean_D) ** 2)))
    scale = 1 / deviation if deviation else 1.0
    config = from_settings(TemiConfig, settings.temi, clusters=settings.k, seed=settings.seed)
    with job.timings.stage("neighbours"):
        count = min(settings.temi.neighbours, len(unit_ND) - 1)
        neighbours_NC, _ = nearest_neighbours(unit_ND, count)
    wanted = settings.use_gpu is not False and torch.cuda.is_available()
    device = torch.device("cuda" if wanted else "cpu")
    with job.timings.stage("distil", config.steps, "steps"):
        result = train_temi(
            torch.from_numpy((unit_ND - mean_D) * scale).to(device),
            torch.from_numpy(neighbours_NC),
            config,
            lambda steps: job.progress.advance("distil", steps),
        )
    model = build_model(
        settings,
        sample,
        _space(mean_D, scale, result, config),
        _SPREAD * np.eye(settings.k, dtype=np.float32),
    )
    facts = {"steps": config.steps, "losses": result.losses_H.tolist(), "head": result.best}
    return Fitted(model, {"fitted_on": len(unit_ND), "temi": facts})


def _space(mean_D: np.ndarray, scale: float, result: TemiResult, config: TemiConfig) -> ModelSpace:
    """Return the way from vectors to a head's shares of the clusters."""
    k, width = result.directions_KD.shape
    last = (result.directions_KD / config.temperature, torch.zeros(k))
    assert result.layers[-1][0].shape[0] == width
    steps = (
        UnitLength(),
        Standardise(torch.from_numpy(mean_D), torch.full((len(mean_D),), scale)),
        Dense(result.layers),
        UnitLength(),
        Dense((last,)),
        Softmax(),
        Standardise(torch.zeros(k), torch.full((k,), _SPREAD)),
    )
    return ModelSpace(len(mean_D), steps)


METHODS = (
    Method(
        name="temi",
        summary="heads that learn which nearest neighbours belong together",
        fit=fit_temi,
        settings=("max_pairwise_vectors", "temi"),
    ),
)
