"""The cards of a report's clusters: the pictures that show one, and what is known of it."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from PIL import Image, ImageOps

from artcluster.pages.atlas import Tile, unpack
from artcluster.pages.content import Card, CardGallery, ClusterEntry, Kin, ReportPicture, Term, Word
from artcluster.workflows.curation.zero_shot_names import ClusterWords
from artcluster.workflows.job import Job
from artcluster.workflows.viewing.report.choose import Chosen, Describe
from artcluster.workflows.viewing.report.members import Members
from artcluster.workflows.viewing.thumbnails import Thumbnails

WIDTH_PX, HEIGHT_PX = 480, 320
_GAP_PX = 4
_MOST = 6
_GROUND = (239, 236, 229)


def draw_cover(tiles: Sequence[Tile], thumbnails: Thumbnails) -> bytes:
    """Return a cover in WebP: up to six small copies in one or two rows that fill it.

    Within a row widths go by the pictures' shapes, so that little is cropped.
    """
    chosen = tiles[:_MOST]
    half = len(chosen) // 2
    rows = [chosen] if len(chosen) < 3 else [chosen[:half], chosen[half:]]
    cover = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), _GROUND)
    # A row of wide pictures is low, one of upright ones is high.
    heights = [1 / sum(_shape(tile) for tile in row) for row in rows]
    for row, (top, bottom) in zip(rows, _shares(heights, HEIGHT_PX), strict=True):
        edges = _shares([_shape(tile) for tile in row], WIDTH_PX)
        for tile, (left, right) in zip(row, edges, strict=True):
            (picture,) = unpack(thumbnails.sheet(tile.sheet), [tile], thumbnails.grid)
            cover.paste(ImageOps.fit(picture, (right - left, bottom - top)), (left, top))
    stream = io.BytesIO()
    cover.save(stream, "WEBP", quality=80, method=4)
    return stream.getvalue()


def _shape(tile: Tile) -> float:
    """Return width over height, within what looks well beside others."""
    return min(2.0, max(0.6, tile.width / tile.height))


def _shares(parts: Sequence[float], whole_px: int) -> list[tuple[int, int]]:
    """Share a length out by parts, with gaps between: start and end of each.

    >>> _shares([1, 1], 104)
    [(0, 50), (54, 104)]
    """
    scale = (whole_px - _GAP_PX * (len(parts) - 1)) / sum(parts)
    edges, at = [], 0.0
    for part in parts:
        edges.append((round(at), round(at + part * scale)))
        at += part * scale + _GAP_PX
    return edges


CARD_PX = 320


_NEIGHBOURS = 5
_STEPS = 20


@dataclass(frozen=True)
class CardFacts:
    """What cards say beside their pictures, by cluster."""

    entries: Mapping[int, ClusterEntry]
    medoids: Mapping[int, Sequence[str]]
    terms: Mapping[int, Sequence[Term]]
    words: Mapping[int, Sequence[Word]]
    fitting: Mapping[int, ClusterWords]
    parents: Mapping[int, Sequence[Kin]]
    most_sure: float
    """Confidence where histograms end."""


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
        entries: Mapping[int, ClusterEntry],
    ) -> None:
        self._members = members
        self._describe = describe
        self._thumbnails = thumbnails
        self._entries = entries

    def pictures(self, contents: Sequence[str]) -> list[ReportPicture]:
        rows_found = self._members.tables.execute(
            "SELECT * FROM members WHERE content_id IN (SELECT unnest(?))", [list(contents)]
        )
        rows = {row["content_id"]: row for row in _dicts(rows_found)}
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
    entry: ClusterEntry,
    shown: _Shown,
    previous: ClusterEntry | None,
    following: ClusterEntry | None,
) -> Card:
    galleries = [
        CardGallery(
            "medoids",
            "Most typical",
            f"The {members.noun} nearest to the cluster’s centre.",
            shown.pictures(chosen.medoids),
        ),
        CardGallery(
            "sample",
            "From centre to edge",
            "A sample of the whole cluster, ordered by distance from its centre."
            if entry.images > len(chosen.sample)
            else f"Every {members.noun[:-1]} of the cluster, ordered by distance from its centre.",
            shown.pictures(chosen.sample),
        ),
        CardGallery(
            "boundary",
            "On the boundary",
            f"{members.noun.capitalize()} that nearly went elsewhere: the least sure first.",
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
        fitting=fitting.words if (fitting := facts.fitting.get(entry.cluster)) else (),
        parents=facts.parents.get(entry.cluster, []),
        neighbours=[(number, shown.title(number), count) for number, count in seconds],
        histogram=[steps.get(step, 0) for step in range(_STEPS)],
        histogram_end=facts.most_sure,
        previous=previous,
        following=following,
    )


def _dicts(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
