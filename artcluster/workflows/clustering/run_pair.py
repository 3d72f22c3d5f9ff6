"""Two runs side by side: what became of the images, and what their clusters share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from artcluster.archive.database import quoted
from artcluster.config import Config
from artcluster.lineage.drift import Profile
from artcluster.lineage.matching import Overlap, overlap_of_pairs
from artcluster.store import Store
from artcluster.workflows.archives import open_tables


@dataclass(frozen=True)
class RunView:
    """What decides the clusters of a run's images: a scan of an archive, and a model."""

    archive_id: str
    scan_id: int
    model_id: str


@dataclass(frozen=True)
class ImageChanges:
    """What became of an archive's usable images from one run to another, counted in paths.

    Attributes:
        new: Paths that were not there, with a picture that was not, or that is still elsewhere.
        changed: Paths with another picture.
        moved: Paths that were not there, with the picture of a path that is gone.
        removed: Paths that are gone, and whose picture did not move.
        untouched: Paths with the same picture.
        same_cluster: Untouched paths whose cluster has the same number.
    """

    new: int
    changed: int
    moved: int
    removed: int
    untouched: int
    same_cluster: int

    @property
    def any(self) -> bool:
        """Whether anything is other than it was."""
        return bool(self.new or self.changed or self.moved or self.removed)


class RunPair:
    """An old and a new view, joined in DuckDB; lives inside `run_pair`."""

    def __init__(
        self,
        tables: duckdb.DuckDBPyConnection,
        old: RunView,
        new: RunView,
    ) -> None:
        self._tables = tables
        for name, view in (("old", old), ("new", new)):
            tables.execute(f"create temp table {name}_paths as {_paths(view)}")
            tables.execute(
                f"create temp table {name}_contents as "
                "select content_id, region, cluster from assignments "
                f"where model_id = {quoted(view.model_id)} "
                f"and content_id in (select content_id from {name}_paths)"
            )

    def images(self) -> ImageChanges:
        """Count what became of the images."""
        ((new, changed, moved, removed, untouched),) = self._tables.execute(
            """
            with joined as (
                select o.path old_path, n.path new_path,
                    o.content_id old_content, n.content_id new_content
                from old_paths o full join new_paths n using (path)
            ),
            gone as (select old_content content_id from joined where new_path is null),
            come as (select new_content content_id from joined where old_path is null)
            select
                count(*) filter (old_path is null and new_content not in (from gone)),
                count(*) filter (old_content <> new_content),
                count(*) filter (old_path is null and new_content in (from gone)),
                count(*) filter (new_path is null and old_content not in (from come)),
                count(*) filter (old_content = new_content)
            from joined
            """
        ).fetchall()
        ((same,),) = self._tables.execute(
            """
            select count(distinct path) from old_paths o join new_paths n using (path, content_id)
            join old_contents a using (content_id) join new_contents b using (content_id, region)
            where a.cluster = b.cluster
            """
        ).fetchall()
        return ImageChanges(new, changed, moved, removed, untouched, same)

    def overlap(self, old_clusters: np.ndarray, new_clusters: np.ndarray) -> Overlap:
        """Count the distinct contents, or their faces, that clusters of the two share."""
        pairs = self._tables.execute(
            "select o.cluster, n.cluster, count(*) from old_contents o "
            "join new_contents n using (content_id, region) group by all"
        ).fetchnumpy()
        old_P, new_P, count_P = pairs.values()
        return overlap_of_pairs(
            old_P, new_P, count_P, old_clusters=old_clusters, new_clusters=new_clusters
        )

    def moved(self, limit: int | None = None) -> pa.Table:
        """Return images whose cluster has another number: path, old_cluster, new_cluster."""
        return self._tables.sql(
            f"""
            select n.path, a.cluster old_cluster, b.cluster new_cluster
            from old_paths o join new_paths n using (path, content_id)
            join old_contents a using (content_id) join new_contents b using (content_id, region)
            where a.cluster <> b.cluster
            order by all {"" if limit is None else f"limit {limit:d}"}
            """
        ).to_arrow_table()


@contextmanager
def run_pair(store: Store, config: Config, old: RunView, new: RunView) -> Iterator[RunPair]:
    """Join two views of an archive, within the configured memory."""
    with open_tables(store, config, "images", "assignments") as tables:
        yield RunPair(tables, old, new)


def read_profile(store: Store, config: Config, view: RunView, clusters: np.ndarray) -> Profile:
    """Return what a model's assignments of an archive look like at a scan."""
    with open_tables(store, config, "images", "assignments") as tables:
        rows = tables.execute(
            f"""
            select cluster, count(*), count_if(low_confidence), count_if(outlier), sum(distance)
            from assignments
            where model_id = {quoted(view.model_id)}
                and content_id in (select content_id from ({_paths(view)}))
            group by cluster
            """
        ).fetchall()
    sizes = dict.fromkeys(clusters.tolist(), 0)
    sizes |= {cluster: count for cluster, count, *_ in rows if cluster in sizes}
    total = max(sum(row[1] for row in rows), 1)
    low, out, distance = (sum(row[column] for row in rows) / total for column in (2, 3, 4))
    return Profile(sizes, low, out, distance)


def _paths(view: RunView) -> str:
    """Return the query of an archive's usable images at a scan: path and content_id."""
    return f"""
        select path, content_id from (
            select path, content_id, status from images
            where archive_id = {quoted(view.archive_id)} and scan_id <= {view.scan_id:d}
            qualify row_number() over (partition by path order by scan_id desc, seen_at desc) = 1
        ) where status = 'ok'
    """
