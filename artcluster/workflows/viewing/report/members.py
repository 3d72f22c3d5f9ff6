"""The images that a report is about: one row a content, in a table that DuckDB may spill."""

from dataclasses import dataclass

import duckdb

from artcluster.archive.database import identifier
from artcluster.store import Store
from artcluster.store.members import IS_PART_SQL, MEMBER_SQL
from artcluster.store.views import metadata_columns


@dataclass(frozen=True)
class Members:
    """The table `members` of a connection: a row a content of the run, or a face of one.

    It has `content_id` (the member: with the region of a part), `path`, `uri`, `width`, `height`,
    `cluster`, `confidence`, `margin`, `distance`, `second_cluster`, `low_confidence`, `outlier`,
    `_copies` (paths), `_x` and `_y` (in the map), and the user's metadata columns.

    Attributes:
        paths: Paths that the rows stand for.
        noun: What a row is, in the plural: images or faces.
    """

    tables: duckdb.DuckDBPyConnection
    metadata: tuple[str, ...]
    images: int
    paths: int
    noun: str


_OWN = (
    "confidence",
    "margin",
    "distance",
    "second_cluster",
    "low_confidence",
    "outlier",
)
_TAKEN = {
    "archive_id",
    "path",
    "uri",
    "content_id",
    "width",
    "height",
    "format",
    "region",
    "cluster",
    *_OWN,
    "run_id",
    "model_id",
    "model_cluster",
    "cluster_name",
}


def make_members(tables: duckdb.DuckDBPyConnection, store: Store, model_id: str) -> Members:
    """Make the table from the view `shown`; a content at several paths has the first one's row."""
    known = set(tables.sql("SELECT * FROM shown LIMIT 0").columns)
    metadata = tuple(
        name if name in known and name.lower() not in _TAKEN else f"metadata_{name}"
        for name in metadata_columns(store)
    )
    own = ", ".join(f"any_value({name}) AS {name}" for name in _OWN)
    users = "".join(f", arg_min({identifier(c)}, path) AS {identifier(c)}" for c in metadata)
    tables.execute(
        f"""
        CREATE TEMP TABLE members AS
        WITH contents AS (
            SELECT {MEMBER_SQL} AS content_id, min(path) AS path, arg_min(uri, path) AS uri,
                count(*) AS _copies, any_value(width) AS width, any_value(height) AS height,
                any_value(cluster) AS cluster, {own}{users}
            FROM shown WHERE cluster IS NOT NULL GROUP BY shown.content_id, region
        ), places AS (
            SELECT {MEMBER_SQL} AS content_id, any_value(x) AS _x, any_value(y) AS _y
            FROM projections WHERE model_id = ? GROUP BY projections.content_id, region
        )
        SELECT contents.*, places._x, places._y FROM contents LEFT JOIN places USING (content_id)
        """,
        [model_id],
    )
    ((images, paths, faces),) = tables.sql(
        "SELECT count(*), coalesce(sum(_copies), 0), "
        f"coalesce(bool_or({IS_PART_SQL}), false) FROM members"
    ).fetchall()
    return Members(tables, metadata, images, int(paths), "faces" if faces else "images")
