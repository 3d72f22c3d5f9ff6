"""What a method is, what it is given, and what it gives."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from artcluster.clustering.kmeans.kmeans import sample_indices
from artcluster.clustering.model.blockwise import encode_blocks
from artcluster.clustering.model.fit import fit_model
from artcluster.clustering.model.model import ClusterModel
from artcluster.clustering.model.rules import Rule
from artcluster.clustering.model.space import ModelSpace, principal_space
from artcluster.config import ClusterSettings
from artcluster.errors import UsageError
from artcluster.store.members import rows_among, split_members
from artcluster.store.vectors import gather
from artcluster.workflows.embedding.embedder import ReadyEmbedder
from artcluster.workflows.job import Job


def codes_of(space: ModelSpace, x_ND: np.ndarray) -> np.ndarray:
    """Return what a model of this space will see of vectors, bit by bit, float32."""
    return encode_blocks(space, x_ND, torch.get_num_threads())


@dataclass(frozen=True)
class TrainingSet:
    """What a model is fitted on.

    Attributes:
        content_ids: Sorted, of faces with their region; what counts several times is there so
            often.
        x_ND: float32, in their order.
        sampled_from: How many contents there were to choose from.
        archive_id: Whose contents; '' where there is no archive, but vectors alone.
        pretrained_ND: The same contents' vectors before refinement, float32, where these are of an
            embedder that a method refined.
    """

    embedder_id: str
    content_ids: pa.Array
    x_ND: np.ndarray
    sampled_from: int
    archive_id: str = ""
    pretrained_ND: np.ndarray | None = None

    @property
    def digest(self) -> str:
        """Names the contents."""
        joined = "\n".join(self.content_ids.to_pylist())
        return hashlib.sha256(joined.encode()).hexdigest()

    def times(self, content_ids: pa.Array) -> np.ndarray:
        """Count each of its contents among `content_ids`, int64 (N,); faces by their pictures.

        >>> members = pa.array(["a", "b#1,2,3,4", "b#5,6,7,8", "c"])
        >>> data = TrainingSet("resnet50-0123", members, np.zeros((4, 2), np.float32), 4)
        >>> data.times(pa.array(["b", "a", "d", "b"])).tolist()
        [1, 2, 2, 0]
        """
        pictures, _ = split_members(self.content_ids)
        asked = content_ids.value_counts()
        rows = pc.index_in(pictures, value_set=asked.field("values"))
        times_N: np.ndarray = asked.field("counts").take(rows).fill_null(0).to_numpy()
        return times_N

    def repeated(self, times_N: np.ndarray) -> "TrainingSet":
        """Return the same with each row so many times over."""
        rows = np.repeat(np.arange(len(times_N)), times_N)
        return replace(self, content_ids=self.content_ids.take(rows), x_ND=self.x_ND[rows])

    def scaled(self, scaling: Literal["none", "unit"]) -> np.ndarray:
        """Return the vectors as they are, or scaled to length one, float32 (N, D)."""
        if scaling == "none":
            return self.x_ND
        norms = np.linalg.norm(self.x_ND, axis=1, keepdims=True)
        scaled_ND: np.ndarray = self.x_ND / np.where(norms > 0, norms, 1)
        return scaled_ND


@dataclass(frozen=True)
class RefinedVectors:
    """Vectors that a fit made by an embedder that it refined.

    A run keeps them in the store, with those of all other contents; a trial only measures them.

    Attributes:
        embedder: Its weights are in the store.
        content_ids: Sorted.
        x_ND: float32, in their order.
    """

    embedder: ReadyEmbedder
    content_ids: pa.Array
    x_ND: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """A model and how it came about.

    Attributes:
        training: What is worth knowing of its training, as JSON has it.
        verdict: What the guard said of the refinement; '' without one.
        refined: The vectors that the model takes, where the fit made them.
    """

    model: ClusterModel
    training: Mapping[str, Any]
    verdict: str = ""
    refined: RefinedVectors | None = None


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method: all that the rest of the program knows of it.

    Attributes:
        name: What `cluster.method` calls it.
        summary: What it does, in a line.
        fit: Fits a model to vectors.
        settings: Settings and whole sections below `cluster` that decide its result, beside the
            seed and those that choose what it is fitted on.
        network: The embedder of its own, whose vectors it takes, by its settings; None for methods
            over any vectors.
        warm: Fits a model from the last one; None for methods that always begin anew.
        minimum: The setting below `cluster` that says how many vectors it needs at least.
    """

    name: str
    summary: str
    fit: Callable[[Job, TrainingSet], Fitted]
    settings: tuple[str, ...]
    network: Callable[[ClusterSettings], str] | None = None
    warm: Callable[[Job, TrainingSet, ClusterModel], Fitted] | None = None
    minimum: str = "k"

    @property
    def finds_k(self) -> bool:
        """Whether it finds the number of clusters itself, and `cluster.k` has no say."""
        return self.minimum != "k"


def build_model(
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


def direction_space(data: TrainingSet, components: int) -> ModelSpace:
    """Return the space of the vectors' directions on their principal components.

    Raises:
        UsageError: All vectors are alike.
    """
    try:
        return principal_space(data.x_ND, components)
    except ValueError as alike:
        raise UsageError(
            f"nothing to cluster: {alike}. Choose another embedder with --backbone, or, if the "
            "images really are alike, --method kmeans"
        ) from alike


def pairwise_sample(job: Job, data: TrainingSet) -> TrainingSet:
    """Return at most `cluster.max_pairwise_vectors` of the contents; say so where that is fewer."""
    settings = job.config.cluster
    rows = sample_indices(len(data.x_ND), settings.max_pairwise_vectors, settings.seed)
    if len(rows) == len(data.x_ND):
        return data
    job.progress.say(
        f"{settings.method} compares vectors in pairs: it is fitted on {len(rows):,} of "
        f"{len(data.x_ND):,} (cluster.max_pairwise_vectors); the rest is assigned by the model."
    )
    return replace(data, content_ids=data.content_ids.take(pa.array(rows)), x_ND=data.x_ND[rows])


def vectors_for(job: Job, model: ClusterModel, data: TrainingSet) -> TrainingSet:
    """Return the contents of a training set with the vectors that a model takes.

    Where the model's embedder is another than the set's, the set's own vectors go along as
    `pretrained_ND`.
    """
    if model.embedder_id == data.embedder_id:
        return data
    content_ids, x_ND = gather(
        job.store,
        model.embedder_id,
        data.content_ids,
        limit_bytes=job.config.cluster.max_training_bytes,
    )
    return TrainingSet(
        model.embedder_id,
        content_ids,
        x_ND,
        data.sampled_from,
        data.archive_id,
        pretrained_ND=data.x_ND[rows_among(content_ids, data.content_ids)],
    )
