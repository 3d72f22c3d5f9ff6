"""How alike the colours of pictures are, within and between groups."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from artcluster.archive.database import quoted
from artcluster.config import Config
from artcluster.embedders.embedder import color_histogram
from artcluster.metrics.correlation import mean_chi_square
from artcluster.runtime.executor import Step
from artcluster.schema import EMBEDDERS
from artcluster.store.vectors import find_vectors
from artcluster.workflows.embedding.pictures import Pictures
from artcluster.workflows.job import Job
from artcluster.workflows.studies.profile_counts import Images

_BOX_PX = 224
_A_BATCH = 32
_WORTH_A_CLUSTER = 5_000


@dataclass(frozen=True)
class ColourDistances:
    """Mean chi-square distances of colour histograms.

    Attributes:
        column: Whose values are the groups.
        groups: The values, the largest group first.
        sizes: Contents of each group.
        sampled: Those of them that were compared.
        distances: Mean over pairs, a row and a column a group; within on the diagonal; None where
            a group has no pair.
    """

    column: str
    groups: Sequence[str]
    sizes: Sequence[int]
    sampled: Sequence[int]
    distances: Sequence[Sequence[float | None]]
    within: float | None
    between: float | None


@dataclass(frozen=True)
class _Sampled:
    group: str
    content_id: str
    uri: str


@dataclass(frozen=True)
class HistogramPictures:
    """Makes the step from batches of pictures to their colour histograms. Picklable."""

    config: Config

    def __call__(self) -> Callable[[Sequence[tuple[str, str]]], list[tuple[str, np.ndarray]]]:
        """Start a decoder and return the step; pictures that it cannot read are left out."""
        pictures = Pictures(self.config, _BOX_PX)

        def histograms(batch: Sequence[tuple[str, str]]) -> list[tuple[str, np.ndarray]]:
            contents = [content_id for content_id, _ in batch]
            decoded = pictures.many([uri for _, uri in batch], contents)
            return [
                (content_id, color_histogram(np.asarray(picture.image)))
                for content_id, picture in zip(contents, decoded, strict=True)
                if picture.image is not None
            ]

        return histograms


def colour_distances(job: Job, images: Images, column: str) -> ColourDistances:
    """Compare colours within and between a column's largest groups.

    A mean of histograms does not give the mean of their distances, so pairs are compared: of every
    group at most the same number of pictures, drawn by seed. An archive whose colour histograms are
    in the store is not decoded for it. The distance is ½ Σ (x − y)² / (x + y) over 512 colours.
    """
    settings = job.config.profile
    groups = images.tables.sql(
        f"SELECT value, count(DISTINCT content_id) FROM {images.values(column)} "
        f"WHERE value IS NOT NULL GROUP BY value ORDER BY 2 DESC, 1 LIMIT {settings.max_groups}"
    ).fetchall()
    each = max(2, settings.max_pictures // max(1, len(groups)))
    sample = _sample(images, column, [value for value, _ in groups], each, settings.seed)
    by_content = _histograms(job, sample)
    rows = {
        value: np.array(
            [
                by_content[s.content_id]
                for s in sample
                if s.group == value and s.content_id in by_content
            ]
        )
        for value, _ in groups
    }
    distances: list[list[float | None]] = [[None] * len(groups) for _ in groups]
    for a, (one, _) in enumerate(groups):
        for b, (other, _) in enumerate(groups[: a + 1]):
            value = _mean(rows[one], None if a == b else rows[other])
            distances[a][b] = distances[b][a] = value
    inside = [distances[a][a] for a in range(len(groups))]
    across = [distances[a][b] for a in range(len(groups)) for b in range(a)]
    return ColourDistances(
        column,
        [value for value, _ in groups],
        [size for _, size in groups],
        [len(rows[value]) for value, _ in groups],
        distances,
        _known_mean(inside),
        _known_mean(across),
    )


def _sample(
    images: Images, column: str, groups: Sequence[str], each: int, seed: int
) -> list[_Sampled]:
    wanted = ", ".join(quoted(value) for value in groups) or "NULL"
    rows = images.tables.sql(
        f"""
        WITH members AS (
            SELECT v.value, v.content_id, min(i.uri) AS uri FROM {images.values(column)} v
            JOIN images_seen i USING (nth) WHERE v.value IN ({wanted}) GROUP BY 1, 2
        )
        SELECT value, content_id, uri FROM members
        QUALIFY row_number() OVER (PARTITION BY value ORDER BY hash(content_id, {seed})) <= {each}
        """
    ).fetchall()
    return [_Sampled(*row) for row in rows]


def _histograms(job: Job, sample: Sequence[_Sampled]) -> dict[str, np.ndarray]:
    """Return the shares of pixels of each colour, by content."""
    pictures = sorted({(each.content_id, each.uri) for each in sample})
    known = job.store.table(EMBEDDERS).read(["embedder_id"], pc.field("name") == "color-histogram")
    for embedder_id in known["embedder_id"].to_pylist():
        by_content = find_vectors(job.store, embedder_id, [content for content, _ in pictures])
        if len(by_content) == len({content for content, _ in pictures}):
            # Vectors are square roots of the shares.
            return {content: vector**2 for content, vector in by_content.items()}
    executor = job.executor if len(pictures) >= _WORTH_A_CLUSTER else job.local
    histograms: dict[str, np.ndarray] = {}
    batches = [pictures[start : start + _A_BATCH] for start in range(0, len(pictures), _A_BATCH)]
    with job.timings.stage("colours", len(pictures)):
        for done in executor.stream(
            batches,
            [Step("colours", HistogramPictures(job.config))],
            stall_timeout_s=job.config.embed.stall_timeout_s,
        ):
            histograms |= {content: vector**2 for content, vector in done}
            job.progress.advance("colours", len(done))
    return histograms


def _mean(a_ND: np.ndarray, b_MD: np.ndarray | None) -> float | None:
    if not len(a_ND) or (b_MD is not None and not len(b_MD)):
        return None
    mean = mean_chi_square(a_ND, b_MD)
    return None if math.isnan(mean) else mean


def _known_mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
