"""Which pictures show a cluster, and what pages say of a picture: caption, number, link."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.config.viewing import ReportSettings
from artcluster.errors import UsageError
from artcluster.location.redaction import redact
from artcluster.metrics.near_duplicates import near_duplicates
from artcluster.pages.atlas import Tile
from artcluster.pages.content import ReportPicture
from artcluster.schema import EMBEDDERS
from artcluster.store.members import rows_among, split_member
from artcluster.store.vectors import gather
from artcluster.workflows.job import Job
from artcluster.workflows.viewing.report.members import Members
from artcluster.workflows.viewing.thumbnails import Original

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
    groups_of = {}
    for cluster in np.unique(clusters_N).tolist():
        rows = np.flatnonzero(clusters_N == cluster)
        groups = near_duplicates(x_ND[rows], settings.duplicate_distance)
        groups_of[cluster] = ([names[rows[group]].tolist() for group in groups], len(rows))
    return groups_of


def _ids(
    members: Members, where: str, cluster: int, values: Sequence[Any], order: str = "content_id"
) -> list[str]:
    rows = members.tables.execute(
        f"SELECT content_id FROM members WHERE cluster = ? AND {where} ORDER BY {order}",
        [cluster, *values],
    )
    return [content for (content,) in rows.fetchall()]


_FIELD = re.compile(r"\{([^{}]*)\}")
_OWN_FIELDS = ("path", "stem", "uri", "content_id", "region", "number")
_LONGEST = 300
_ADDRESS = "user_path"
"""What a metadata file's own column `path` is called: it names the image, no more."""


class Describe:
    """Describes rows of `members`.

    Args:
        settings: Which columns caption and number a picture, and how originals are linked.

    Raises:
        UsageError: A setting names a column that there is not, or the link is no web address.
    """

    def __init__(self, settings: ReportSettings, metadata: Sequence[str]) -> None:
        self.settings = settings
        self.metadata = tuple(metadata)
        self.title_column = self._column("title_column") or _find("title", metadata)
        self.number_column = self._column("number_column")
        if settings.link is not None:
            for name in _FIELD.findall(settings.link):
                if name not in _OWN_FIELDS and name not in metadata:
                    known = ", ".join((*_OWN_FIELDS, *metadata))
                    raise UsageError(f"report.link: no field {name!r}; there are {known}")
            if not settings.link.startswith(("http://", "https://", "file://")):
                raise UsageError("report.link: expected an address beginning with https://")

    def picture(
        self, row: Mapping[str, Any], tile: Tile | None, title_of: Callable[[int], str]
    ) -> ReportPicture:
        """Return the picture of a row."""
        second = row["second_cluster"]
        remarks = [("outlier", row["outlier"]), ("low confidence", row["low_confidence"])]
        return ReportPicture(
            content_id=row["content_id"],
            caption=self.caption(row),
            path=row["path"],
            place=redact(row["uri"]),
            link=self.link(row),
            number=self.number(row),
            tile=tile,
            width=row["width"] or 0,
            height=row["height"] or 0,
            copies=row["_copies"],
            confidence=float(row["confidence"]),
            second="" if second is None or second == row["cluster"] else title_of(second),
            remarks=[text for text, holds in remarks if holds],
            facts={
                name: _short(row[name])
                for name in self.metadata
                if row[name] not in (None, "", []) and name not in (self.title_column, _ADDRESS)
            },
        )

    def caption(self, row: Mapping[str, Any]) -> str:
        """Return what a picture is called."""
        title = row[self.title_column] if self.title_column else None
        return _short(title) if title not in (None, "") else PurePosixPath(row["path"]).name

    def number(self, row: Mapping[str, Any]) -> str:
        """Return the archive's own number; '' where it has none."""
        value = row[self.number_column] if self.number_column else None
        return "" if value is None else _short(value)

    def link(self, row: Mapping[str, Any]) -> str:
        """Return where the original can be opened; '' where a browser cannot."""
        if self.settings.link is None:
            return browser_link(row["uri"])
        content_id, region = split_member(row["content_id"])
        own = {
            "path": row["path"],
            "stem": PurePosixPath(row["path"]).stem,
            "uri": redact(row["uri"]),
            "content_id": content_id,
            "region": region or "full",
            "number": self.number(row),
        }

        def value(field: re.Match[str]) -> str:
            name = field.group(1)
            text = own[name] if name in own else row[name]
            return quote("" if text is None else str(text), safe="/" if name == "path" else "")

        return _FIELD.sub(value, self.settings.link)

    def _column(self, setting: str) -> str | None:
        name = getattr(self.settings, setting)
        if name is not None and name not in self.metadata:
            have = ", ".join(self.metadata) or "none"
            raise UsageError(f"report.{setting}: no metadata column {name!r}; there are: {have}")
        return None if name is None else str(name)


def describing_columns(settings: ReportSettings, metadata: Sequence[str]) -> list[str]:
    """Return the metadata columns that clusters are described by.

    Raises:
        UsageError: A setting names a column that there is not.
    """
    for name in settings.columns:
        if name not in metadata:
            have = ", ".join(metadata) or "none"
            raise UsageError(f"report.columns: no metadata column {name!r}; there are: {have}")
    return list(settings.columns or (name for name in metadata if name != _ADDRESS))


def browser_link(uri: str) -> str:
    """Return an address that a browser opens; '' for other places, such as buckets.

    >>> browser_link("/art/<b> 1.jpg")
    'file:///art/%3Cb%3E%201.jpg'
    >>> browser_link("s3://museum/1.jpg")
    ''
    """
    if uri.startswith("/"):
        return "file://" + quote(uri)
    return redact(uri) if uri.startswith(("http://", "https://", "file://")) else ""


def _find(name: str, columns: Sequence[str]) -> str | None:
    return next((column for column in columns if column.lower() == name), None)


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
