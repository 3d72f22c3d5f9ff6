"""k-means as the configuration asks for it: a method of its own, and the seeds of others."""

from typing import Any

import numpy as np

from artcluster.clustering.kmeans import KMeansResult, kmeans
from artcluster.clustering.kmeans_faiss import kmeans_by_faiss
from artcluster.config import ClusterSettings


def seeds(x_ND: np.ndarray, settings: ClusterSettings) -> KMeansResult:
    """Cluster vectors float32 (N, D), or codes."""
    engine = kmeans if settings.kmeans_engine == "torch" else kmeans_by_faiss
    return engine(
        x_ND,
        settings.k,
        restarts=settings.restarts,
        seed=settings.seed,
        gpu="auto" if settings.use_gpu is None else settings.use_gpu,
    )


def kmeans_facts(found: KMeansResult) -> dict[str, Any]:
    """Return what is worth keeping of it, as JSON has it."""
    facts = {
        "inertia": found.inertia,
        "iterations": found.iterations,
        "non_empty": found.non_empty,
        "restart_inertias": list(found.restart_inertias),
    }
    return {"kmeans": facts}
