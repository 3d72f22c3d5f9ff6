"""The portable cluster model: what assigns new vectors, and how it is saved and loaded."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from artcluster.clustering.chunks import row_chunks
from artcluster.clustering.model.blockwise import encode_blocks, membership_blocks
from artcluster.clustering.model.confidence import Assignment, distance_to_own
from artcluster.clustering.model.rules import RULES, Rule
from artcluster.clustering.model.space import ModelSpace, space_from_parts, space_to_parts
from artcluster.metrics.agreement import NOISE

MODEL_FORMAT_VERSION = 3
"""2 has the clusters' numbers, which were 0 … k−1 in 1; 3 has a rule. A model
without one is written as 2."""

DESCRIPTION_FILE = "model.json"
ARRAYS_FILE = "model.safetensors"


_BATCH_ROWS = 16384
_RULE = "rule."


@dataclass(frozen=True)
class FittedOn:
    """What the thresholds of a model were taken from.

    Attributes:
        points: Vectors that the model was fitted on.
        low_confidence_quantile: Share of them that count as of low confidence.
        outlier_quantile: Share of each cluster that lies within its outlier distance.
        exact: Whether the quantiles are of all points, rather than of a sample of each cluster.
    """

    points: int
    low_confidence_quantile: float
    outlier_quantile: float
    exact: bool


@dataclass(frozen=True)
class ClusterModel:
    """Centroids in a space, with the thresholds that were fixed when the model was fitted.

    Attributes:
        method: Name of the method that made it.
        embedder_id: The only embedder whose vectors it takes.
        space: The way from that embedder's vectors into the model's space.
        centroids_KD: In the model's space, float32.
        numbers_K: The clusters' numbers, int32, in the order of the centroids: 0 … k−1 in a first
            model; one that follows it has those of the clusters it continues, with gaps.
        embedder_centroids_KD: Means of the clusters in the embedder's space, float32.
        outlier_distance_K: Distance to them beyond which a vector is an outlier, float32;
            infinite for a cluster that had no member.
        low_confidence: Confidence below which an assignment counts as low, a float32's value.
        fitted_on: What the thresholds were taken from.
        rule: Which cluster a point of the space belongs to; by default its nearest centroid's.
    """

    method: str
    embedder_id: str
    space: ModelSpace
    centroids_KD: np.ndarray
    embedder_centroids_KD: np.ndarray
    outlier_distance_K: np.ndarray
    low_confidence: float
    fitted_on: FittedOn
    numbers_K: np.ndarray
    rule: Rule | None = None

    def __post_init__(self) -> None:
        numbers = self.numbers_K
        if numbers.shape != (self.k,) or len(np.unique(numbers)) < self.k or numbers.min() < 0:
            raise ValueError(
                f"numbers_K must hold {self.k} distinct numbers from 0 up, got {numbers.tolist()}"
            )

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.centroids_KD)

    @property
    def dim(self) -> int:
        """Length of the vectors it takes."""
        return self.space.dim

    def check(self, embedder_id: str) -> None:
        """Refuse vectors of another embedder.

        Raises:
            ValueError: `embedder_id` is not the model's.
        """
        if embedder_id != self.embedder_id:
            raise ValueError(
                f"the model takes vectors of embedder {self.embedder_id!r}, got those of "
                f"{embedder_id!r}: embed the images with the model's embedder, or fit a new model"
            )

    def transform(self, embeddings_ND: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Map vectors into the model's space, float32.

        Raises:
            ValueError: Vectors are not finite or not of the model's length.
        """
        return encode_blocks(self.space, embeddings_ND, threads)

    def predict(self, embeddings_ND: np.ndarray, *, threads: int = 1) -> Assignment:
        """Assign vectors to clusters.

        Rows are computed in blocks of a fixed size, the last one padded, so that a vector's
        result is the same in whatever company it comes, and memory beside the vectors' stays
        bounded.

        Raises:
            ValueError: Vectors are not finite or not of the model's length.
        """
        found = membership_blocks(self.space, self.centroids_KD, embeddings_ND, threads, self.rule)
        parts = []
        for a, b in row_chunks(len(embeddings_ND), _BATCH_ROWS):
            clusters = found.cluster[a:b]
            far = distance_to_own(embeddings_ND[a:b], self.embedder_centroids_KD, clusters)
            parts.append((far > self.outlier_distance_K[clusters]) & (clusters != NOISE))
        cluster = np.where(found.cluster < 0, NOISE, self.numbers_K[found.cluster])
        second = np.where(found.second_cluster < 0, NOISE, self.numbers_K[found.second_cluster])
        return Assignment(
            cluster=cluster.astype(np.int32),
            confidence=found.confidence,
            margin=found.margin,
            distance=found.distance,
            second_cluster=second.astype(np.int32),
            low_confidence=found.confidence < np.float32(self.low_confidence),
            outlier=np.concatenate(parts) if parts else np.empty(0, dtype=bool),
        )

    def centroid_rows(self, clusters_N: np.ndarray) -> np.ndarray:
        """Return the row among the centroids of each cluster's number; noise (−1) stays.

        Raises:
            ValueError: The model has no cluster of a number.
        """
        order = np.argsort(self.numbers_K)
        place = np.searchsorted(self.numbers_K, clusters_N, sorter=order)
        rows = order[np.minimum(place, self.k - 1)]
        unknown = (self.numbers_K[rows] != clusters_N) & (clusters_N != NOISE)
        if unknown.any():
            raise ValueError(
                f"the model has the clusters {np.sort(self.numbers_K).tolist()}, got "
                f"{np.unique(clusters_N[unknown]).tolist()}"
            )
        return np.where(clusters_N == NOISE, NOISE, rows)

    def to_files(self) -> dict[str, bytes]:
        """Return the model as files: a JSON description and safetensors arrays, by file name."""
        space, arrays = space_to_parts(self.space)
        description = {
            "format_version": 2 if self.rule is None else MODEL_FORMAT_VERSION,
            "method": self.method,
            "k": self.k,
            "numbers": self.numbers_K.tolist(),
            "embedder_id": self.embedder_id,
            "alpha": 1.0,
            "space": space,
            "fitted_on": self.fitted_on.__dict__,
            "rule": None if self.rule is None else self.rule.kind,
        }
        arrays |= {
            "centroids": self.centroids_KD,
            "embedder_centroids": self.embedder_centroids_KD,
            "outlier_distance": self.outlier_distance_K,
            "low_confidence": np.array([self.low_confidence], dtype=np.float32),
        }
        plain = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
        if self.rule is not None:
            for name, array in self.rule.arrays().items():
                plain[f"{_RULE}{name}"] = np.ascontiguousarray(array)
        return {
            DESCRIPTION_FILE: json.dumps(description, indent=2, sort_keys=True).encode(),
            ARRAYS_FILE: safetensors.numpy.save(plain),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "ClusterModel":
        """Load a model from what `to_files` returned.

        Raises:
            ValueError: A file is missing or damaged, or of a format version not known here.
        """
        missing = {DESCRIPTION_FILE, ARRAYS_FILE} - files.keys()
        if missing:
            raise ValueError(f"the model's files lack {sorted(missing)}, got {sorted(files)}")
        try:
            description = json.loads(files[DESCRIPTION_FILE])
            version = description["format_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{DESCRIPTION_FILE} is not a model's description: {error}") from error
        if version not in range(1, MODEL_FORMAT_VERSION + 1):
            raise ValueError(
                f"the model's format version is {version}, this program knows 1 to "
                f"{MODEL_FORMAT_VERSION}: use a newer artcluster, or fit the model again"
            )
        try:
            arrays = safetensors.numpy.load(files[ARRAYS_FILE])
            parts = {
                name.removeprefix(_RULE): array
                for name, array in arrays.items()
                if name.startswith(_RULE)
            }
            rule = description.get("rule")
            return cls(
                method=description["method"],
                embedder_id=description["embedder_id"],
                space=space_from_parts(description["space"], arrays),
                centroids_KD=arrays["centroids"],
                embedder_centroids_KD=arrays["embedder_centroids"],
                outlier_distance_K=arrays["outlier_distance"],
                low_confidence=float(arrays["low_confidence"][0]),
                fitted_on=FittedOn(**description["fitted_on"]),
                numbers_K=np.array(
                    description.get("numbers", range(len(arrays["centroids"]))), np.int32
                ),
                rule=None if rule is None else RULES[rule].from_arrays(parts),
            )
        except (SafetensorError, KeyError, TypeError) as error:
            raise ValueError(f"the model's files are damaged: {error!r}") from error
