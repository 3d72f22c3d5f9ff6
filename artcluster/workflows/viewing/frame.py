"""A run as a table with one row per image, and the vectors of its rows."""

from typing import Any

import numpy as np
import pyarrow as pa

from artcluster.archive.database import quoted
from artcluster.config import Config
from artcluster.store import Store
from artcluster.store.members import as_keys, member_ids, positions
from artcluster.store.vectors import gather
from artcluster.workflows.archives import choose_archive, open_tables
from artcluster.workflows.runs import choose_run, open_run, read_runs
from artcluster.workflows.viewing.exports.rows import image_query


def read_frame(
    store: Store, config: Config, run_id: str | None = None, archive_id: str | None = None
) -> pa.Table:
    """Return one row per image of a run: cluster, name, confidence, position, path, metadata.

    Before the first run there are only paths and metadata.

    Raises:
        UsageError: There is no such run, or several archives to choose from.
    """
    if run_id is None and not read_runs(store, archive_id):
        mine = quoted(choose_archive(store, archive_id))
        tables = open_tables(store, config, "latest", "projections")
        tables.execute(f"CREATE VIEW shown AS FROM latest WHERE archive_id = {mine}")
        opened: Any = tables
    else:
        opened = open_run(store, choose_run(store, run_id, archive_id), config)
    with opened as tables:
        query = image_query(tables, vectors=False, region=True)
        ordered = f"{query} ORDER BY s.archive_id, s.path, s.region"
        return tables.sql(ordered).to_arrow_table().drop_columns(["image"])


def vectors_of_frame(store: Store, rows: pa.Table, embedder_id: str, config: Config) -> np.ndarray:
    """Return an embedder's vector of each row, float32 (N, dim); NaN where there is none."""
    members = member_ids(rows["content_id"], rows["region"].fill_null(""))
    limit = config.cluster.max_training_bytes
    ids, x_MD = gather(store, embedder_id, members, limit_bytes=limit)
    at_N, hit_N = positions(as_keys(ids), as_keys(members))
    x_ND = np.full((rows.num_rows, x_MD.shape[1]), np.nan, np.float32)
    x_ND[hit_N] = x_MD[at_N[hit_N]]
    return x_ND
