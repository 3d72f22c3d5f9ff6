"""The cards of a report's clusters: which pictures show a cluster, and what is known of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.metrics.near_duplicates import near_duplicates
from artcluster.report.content import Card, Entry, Gallery, Kin, Picture, Term, Word
from artcluster.schema import EMBEDDERS
from artcluster.stages.job import Job
from artcluster.stages.report.describe import Describe
from artcluster.stages.report.members import Members
from artcluster.stages.thumbnails import Original, Thumbnails
from artcluster.store.vectors import gather

CARD_PX = 320

_BOUNDARY = 12
_DUPLICATE_GROUPS = 8
_IN_A_GROUP = 6
_NEIGHBOURS = 5
_STEPS = 20


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


@dataclass(frozen=True)
class CardFacts:
    """What cards say beside their pictures, by cluster."""

    entries: Mapping[int, Entry]
    medoids: Mapping[int, Sequence[str]]
    terms: Mapping[int, Sequence[Term]]
    words: Mapping[int, Sequence[Word]]
    parents: Mapping[int, Sequence[Kin]]
    most_sure: float
    """Confidence where histograms end."""


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


def make_cards(
    job: Job,
    members: Members,
    chosen: Mapping[int, Chosen],
    facts: CardFacts,
    describe: Describe,
    thumbnails: Thumbnails,
) -> Iterator[Card]:
    """Yield a card a cluster, one in memory at a time."""
    order = list(facts.entries.values())
    for place, entry in enumerate(order):
        yield _card(
            job,
            members,
            chosen[entry.cluster],
            facts,
            entry,
            _Shown(members, describe, thumbnails, facts.entries),
            order[place - 1] if place else None,
            order[place + 1] if place + 1 < len(order) else None,
        )


class _Shown:
    """Pictures by content, as cards show them."""

    def __init__(
        self,
        members: Members,
        describe: Describe,
        thumbnails: Thumbnails,
        entries: Mapping[int, Entry],
    ) -> None:
        self._members = members
        self._describe = describe
        self._thumbnails = thumbnails
        self._entries = entries

    def pictures(self, contents: Sequence[str]) -> list[Picture]:
        found = self._members.tables.execute(
            "SELECT * FROM members WHERE content_id IN (SELECT unnest(?))", [list(contents)]
        )
        rows = {row["content_id"]: row for row in _dicts(found)}
        return [
            self._describe.picture(rows[content], self._thumbnails.get(content), self.title)
            for content in contents
        ]

    def title(self, cluster: int) -> str:
        entry = self._entries.get(cluster)
        return entry.title if entry is not None else f"Cluster {cluster}"


def _card(
    job: Job,
    members: Members,
    chosen: Chosen,
    facts: CardFacts,
    entry: Entry,
    shown: _Shown,
    previous: Entry | None,
    following: Entry | None,
) -> Card:
    galleries = [
        Gallery(
            "medoids",
            "Most typical",
            "The images nearest to the cluster’s centre.",
            shown.pictures(chosen.medoids),
        ),
        Gallery(
            "sample",
            "From centre to edge",
            "A sample of the whole cluster, ordered by distance from its centre."
            if entry.images > len(chosen.sample)
            else "Every image of the cluster, ordered by distance from its centre.",
            shown.pictures(chosen.sample),
        ),
        Gallery(
            "boundary",
            "On the boundary",
            "Images that nearly went to another cluster: the least sure first.",
            shown.pictures(chosen.boundary),
        ),
    ]
    steps = dict(
        members.tables.execute(
            f"SELECT least({_STEPS - 1}, CAST(floor(confidence / {facts.most_sure} * {_STEPS}) AS "
            "INTEGER)), count(*) FROM members WHERE cluster = ? GROUP BY ALL",
            [entry.cluster],
        ).fetchall()
    )
    seconds = members.tables.execute(
        "SELECT second_cluster, count(*) FROM members WHERE cluster = ? AND second_cluster "
        f"<> cluster GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT {_NEIGHBOURS}",
        [entry.cluster],
    ).fetchall()
    return Card(
        entry=entry,
        galleries=[gallery for gallery in galleries if gallery.pictures],
        duplicates=[shown.pictures(group) for group in chosen.duplicates],
        duplicate_groups=chosen.duplicate_groups,
        duplicate_images=chosen.duplicate_images,
        duplicates_sought=chosen.duplicates_sought,
        duplicate_distance=job.config.report.duplicate_distance,
        terms=facts.terms.get(entry.cluster, []),
        words=facts.words.get(entry.cluster, []),
        parents=facts.parents.get(entry.cluster, []),
        neighbours=[(number, shown.title(number), count) for number, count in seconds],
        histogram=[steps.get(step, 0) for step in range(_STEPS)],
        histogram_end=facts.most_sure,
        previous=previous,
        following=following,
    )


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
    at = np.searchsorted(picked["content_id"].to_numpy(), names)
    clusters_N = picked["cluster"].to_numpy()[at]
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


def _dicts(found: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
