"""The contact sheet of a cluster: its medoids first, then a sample of the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
from PIL import Image

from artcluster.archive.database import identifier
from artcluster.config import Config
from artcluster.errors import UsageError
from artcluster.pages.sheets import Cell, draw_contact_sheet
from artcluster.schema import CLUSTERS
from artcluster.store import Store
from artcluster.store.members import MEMBER_SQL
from artcluster.workflows.embedding.pictures import Pictures
from artcluster.workflows.runs import Run, open_run

MOST_PICTURES = 2000
_LEAST_PX, _MOST_PX = 32, 1024


@dataclass(frozen=True)
class SheetSettings:
    """What a contact sheet looks like.

    Attributes:
        count: Pictures, at most.
        cell_px: Side of the square each one fits in.
        caption: Column of `latest` under each picture; None for the file's name.
        font_file: Font of the captions, for scripts that the built-in one lacks.

    Raises:
        UsageError: A number is out of its range.
    """

    count: int = 48
    columns: int = 8
    cell_px: int = 180
    caption: str | None = None
    seed: int = 0
    font_file: Path | None = None

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("--count", self.count, 1, MOST_PICTURES),
            ("--columns", self.columns, 1, 100),
            ("--size", self.cell_px, _LEAST_PX, _MOST_PX),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name}: expected {least} to {most}, got {value}")


@dataclass(frozen=True)
class _Shown:
    """One picture of the sheet."""

    uri: str
    region: str
    caption: str
    medoid: bool


def clusters_of(store: Store, run: Run, config: Config) -> list[int]:
    """Return the clusters of a run that have images, in order."""
    with open_run(store, run, config) as tables:
        rows = tables.execute(
            "SELECT DISTINCT cluster FROM shown WHERE cluster IS NOT NULL ORDER BY 1"
        ).fetchall()
    return [int(cluster) for (cluster,) in rows]


def cluster_sheet(
    store: Store, run: Run, cluster: int, settings: SheetSettings, config: Config
) -> Image.Image:
    """Draw a cluster's contact sheet; medoids are framed.

    Raises:
        UsageError: The run has no such cluster, there is no such column, or the font cannot be
            read.
    """
    with open_run(store, run, config) as tables:
        head = _head(tables, run, cluster)
        rows = _chosen(tables, cluster, _medoids(store, run, cluster), settings)
    with Pictures(config, settings.cell_px) as pictures:
        found = pictures.many([row.uri for row in rows], regions=[row.region for row in rows])
    cells = [
        Cell(picture.image, row.caption, row.medoid, picture.missing)
        for row, picture in zip(rows, found, strict=True)
    ]
    try:
        return draw_contact_sheet(
            *head,
            cells,
            columns=settings.columns,
            cell_px=settings.cell_px,
            font_file=settings.font_file,
        )
    except OSError as failed:
        raise UsageError(f"--font: {settings.font_file} cannot be read: {failed}") from None


def _head(tables: duckdb.DuckDBPyConnection, run: Run, cluster: int) -> tuple[str, str]:
    found = tables.execute(
        f"SELECT count(*), count(DISTINCT {MEMBER_SQL}), any_value(cluster_name), "
        "bool_or(region <> '') FROM shown WHERE cluster = ?",
        [cluster],
    ).fetchone()
    assert found is not None
    images, contents, name, of_faces = found
    if not images:
        raise UsageError(
            f"--cluster: run {run.run_id} has no images in cluster {cluster}; `artcluster query "
            'STORE "SELECT cluster, count(*) FROM latest GROUP BY ALL"` counts them'
        )
    title = "Noise" if cluster == -1 else f"Cluster {cluster}"
    doubles = "" if images == contents else f", {contents:,} distinct"
    what = "faces" if of_faces else "images"
    facts = f"{images:,} {what}{doubles} · {run.archive_id} · run {run.run_id}"
    return (
        f"{title}: {name}" if name else title,
        f"{facts} · framed: nearest to the centroid",
    )


def _medoids(store: Store, run: Run, cluster: int) -> list[str]:
    mine = (pc.field("run_id") == run.run_id) & (pc.field("cluster") == cluster)
    rows = store.table(CLUSTERS).read(["medoids"], mine).to_pylist()
    return rows[0]["medoids"] or [] if rows else []


def _chosen(
    tables: duckdb.DuckDBPyConnection,
    cluster: int,
    medoids: Sequence[str],
    settings: SheetSettings,
) -> list[_Shown]:
    columns = [row[0] for row in tables.execute("DESCRIBE shown").fetchall()]
    if settings.caption is not None and settings.caption not in columns:
        raise UsageError(
            f"--caption: no column {settings.caption!r}; there is {', '.join(columns)}"
        )
    caption = identifier(settings.caption or "path")
    rows: list[tuple[Any, ...]] = tables.execute(
        f"""
        SELECT uri, path, region, CAST({caption} AS VARCHAR),
            list_position($medoids, {MEMBER_SQL}) AS nearest
        FROM shown WHERE cluster = $cluster
        QUALIFY row_number() OVER (PARTITION BY content_id, region ORDER BY path) = 1
        ORDER BY nearest NULLS LAST, md5({MEMBER_SQL} || $seed) LIMIT $count
        """,
        {
            "medoids": list(medoids),
            "cluster": cluster,
            "seed": str(settings.seed),
            "count": settings.count,
        },
    ).fetchall()
    return [
        _Shown(
            uri,
            region,
            path.rsplit("/", 1)[-1] if settings.caption is None else words or "",
            nearest is not None,
        )
        for uri, path, region, words, nearest in rows
    ]
