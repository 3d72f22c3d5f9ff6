"""Which pictures show a cluster: medoids, its boundary, a sample, and near-duplicates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.metrics.near_duplicates import near_duplicates
from artcluster.schema import EMBEDDERS
from artcluster.stages.job import Job
from artcluster.stages.report.members import Members
from artcluster.stages.thumbnails import Original
from artcluster.store.member_ids import rows_among
from artcluster.store.vectors import gather

_BOUNDARY = 12
_DUPLICATE_GROUPS = 8
_IN_A_GROUP = 6


@dataclass(frozen=True)
class Chosen:
    """Which contents show a cluster, by gallery."""

    medoids: Sequence[str]
    boundary: Sequence[str]
    sample: Sequence[str]
    duplicates: Sequence[Sequence[str]]
    duplicate_groups: int
    duplicate_images: int
    duplicates_sought: int

    def contents(self) -> Iterator[str]:
        """Yield every content, the first ones first, some twice."""
        yield from self.medoids
        yield from self.sample
        yield from self.boundary
        for group in self.duplicates:
            yield from group


def choose_pictures(
    job: Job, members: Members, embedder_id: str, medoids: Mapping[int, Sequence[str]]
) -> dict[int, Chosen]:
    """Choose what shows each cluster: medoids, boundary, a sample, near-duplicates.

    The sample runs from the centre to the rim: images at even steps of their distance's rank.
    """
    settings = job.config.report
    clusters = sorted(medoids)
    fair = settings.max_card_images // max(1, len(clusters)) - _BOUNDARY
    count = max(6, min(settings.card_images, fair))
    found_near = _duplicates(job, members, embedder_id)
    chosen = {}
    for cluster in clusters:
        known = _ids(members, "content_id IN (SELECT unnest(?))", cluster, [list(medoids[cluster])])
        near = [each for each in medoids[cluster] if each in set(known)]
        boundary = _ids(members, "true", cluster, [], f"margin, content_id LIMIT {_BOUNDARY}")
        step = "1 + (rank - 1) * steps // greatest(total, 1)"
        sample = members.tables.execute(
            f"""
            SELECT min_by(content_id, rank) FROM (
                SELECT content_id, row_number() OVER (ORDER BY distance, content_id) AS rank,
                    count(*) OVER () AS total, {count} AS steps
                FROM members WHERE cluster = ?
            ) GROUP BY {step} ORDER BY min(rank)
            """,
            [cluster],
        ).fetchall()
        groups, sought = found_near.get(cluster, ([], 0))
        chosen[cluster] = Chosen(
            near,
            boundary,
            [content for (content,) in sample],
            [group[:_IN_A_GROUP] for group in groups[:_DUPLICATE_GROUPS]],
            len(groups),
            sum(map(len, groups)),
            sought,
        )
    return chosen


def originals_of(members: Members, contents: Sequence[str]) -> list[Original]:
    """Return where contents lie, in the order given, each once."""
    wanted = list(dict.fromkeys(contents))
    table = pa.table({"content_id": wanted, "nth": range(len(wanted))})
    members.tables.register("wanted_originals", table)
    rows = members.tables.sql(
        "SELECT content_id, uri FROM members JOIN wanted_originals USING (content_id) ORDER BY nth"
    ).fetchall()
    members.tables.unregister("wanted_originals")
    return [Original(*row) for row in rows]


def _duplicates(
    job: Job, members: Members, embedder_id: str
) -> dict[int, tuple[list[list[str]], int]]:
    """Return by cluster the groups of near-duplicates, and among how many images was looked."""
    settings = job.config.report
    embedder = pc.field("embedder_id") == embedder_id
    (dim,) = job.store.table(EMBEDDERS).read(["dim"], embedder)["dim"].to_pylist()
    most = min(settings.max_vectors, settings.max_vector_bytes // (4 * dim))
    share = min(1.0, most / max(1, members.images))
    picked = members.tables.sql(
        f"""
        SELECT content_id, cluster FROM (
            SELECT content_id, cluster, row_number() OVER (
                PARTITION BY cluster ORDER BY content_id) AS nth,
                count(*) OVER (PARTITION BY cluster) AS total FROM members
        ) WHERE nth <= greatest(1, floor(total * {share})) ORDER BY content_id
        """
    ).to_arrow_table()
    ids, x_ND = gather(
        job.store,
        embedder_id,
        picked["content_id"].combine_chunks(),
        limit_bytes=2 * settings.max_vector_bytes,
    )
    names = ids.to_numpy(zero_copy_only=False)
    clusters_N = picked["cluster"].to_numpy()[rows_among(ids, picked["content_id"])]
    found = {}
    for cluster in np.unique(clusters_N).tolist():
        rows = np.flatnonzero(clusters_N == cluster)
        groups = near_duplicates(x_ND[rows], settings.duplicate_distance)
        found[cluster] = ([names[rows[group]].tolist() for group in groups], len(rows))
    return found


def _ids(
    members: Members, where: str, cluster: int, values: Sequence[Any], order: str = "content_id"
) -> list[str]:
    found = members.tables.execute(
        f"SELECT content_id FROM members WHERE cluster = ? AND {where} ORDER BY {order}",
        [cluster, *values],
    )
    return [content for (content,) in found.fetchall()]
