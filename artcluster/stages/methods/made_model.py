"""The model that a method's centroids make, by the settings that all methods share."""

import numpy as np
import torch

from artcluster.clustering.model import ClusterModel
from artcluster.clustering.model_fit import fit_model
from artcluster.clustering.model_space import ModelSpace
from artcluster.clustering.rules import Rule
from artcluster.config import ClusterSettings
from artcluster.stages.methods.training_set import TrainingSet


def made_model(
    settings: ClusterSettings,
    data: TrainingSet,
    space: ModelSpace,
    centroids_KD: np.ndarray,
    rule: Rule | None = None,
) -> ClusterModel:
    """Return the model of centroids, its thresholds fixed on what it was fitted on.

    Args:
        settings: Names the method.
        data: What it was fitted on.
        space: The way into the model's space.
        centroids_KD: Centroids in that space.
        rule: Which cluster a point belongs to, where that is not the nearest centroid's.
    """
    return fit_model(
        data.x_ND,
        method=settings.method,
        embedder_id=data.embedder_id,
        space=space,
        centroids_KD=centroids_KD,
        rule=rule,
        seed=settings.seed,
        threads=torch.get_num_threads(),
    )
