"""What a method is given, and what it gives."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.clustering.model import ClusterModel
from artcluster.store.member_ids import split_members


@dataclass(frozen=True)
class TrainingSet:
    """What a model is fitted on.

    Attributes:
        embedder_id: Whose vectors.
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
