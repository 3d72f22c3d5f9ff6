"""Assigning contents to a model's clusters: each once, written as it goes, read back in order."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import torch

from artcluster.clustering.model import ClusterModel
from artcluster.schema import ASSIGNMENTS
from artcluster.stages.job import Job
from artcluster.store import Lease, Store, shard_name
from artcluster.store.vectors import read_vectors

_ROWS_A_SHARD = 262_144


@dataclass(frozen=True)
class Assigned:
    """Contents and their clusters, sorted by content_id.

    Attributes:
        content_ids: Strings.
        table: The other columns of `assignments`, in their order.
    """

    content_ids: pa.Array
    table: pa.Table


def load_model(store: Store, model_id: str) -> ClusterModel:
    """Read a model from the store."""
    prefix = f"models/{model_id}/"
    files = {path.removeprefix(prefix): store.read_bytes(path) for path in store.list(prefix)}
    return ClusterModel.from_files(files)


def assign_contents(
    job: Job,
    model_id: str,
    model: ClusterModel,
    embedder_id: str,
    contents: pa.Array,
    lease: Lease,
) -> None:
    """Assign the contents that have no assignment in this model yet; vectors are streamed.

    Args:
        job: What to work with.
        model_id: The model's name.
        model: The model.
        embedder_id: Whose vectors.
        contents: What to assign; those without a vector are passed over.
        lease: On the model's assignments.
    """
    model.check(embedder_id)
    known = job.store.table(ASSIGNMENTS).read(["content_id"], pc.field("model_id") == model_id)
    job.progress.advance("assign", known.num_rows)
    new = contents.filter(pc.invert(pc.is_in(contents, known["content_id"].combine_chunks())))
    if not len(new):
        return
    pending: list[pa.Table] = []
    rows = 0
    for content_ids, x_ND in read_vectors(job.store, embedder_id, new):
        found = model.predict(x_ND, threads=torch.get_num_threads())
        columns = {"content_id": content_ids, "region": [""] * len(content_ids)}
        pending.append(pa.table(columns | found.columns()))
        rows += len(content_ids)
        job.progress.advance("assign", len(content_ids))
        if rows >= _ROWS_A_SHARD:
            _write(job.store, model_id, pending, lease)
            pending, rows = [], 0
    if pending:
        _write(job.store, model_id, pending, lease)


def _write(store: Store, model_id: str, tables: list[pa.Table], lease: Lease) -> None:
    rows = pa.concat_tables(tables)
    name = shard_name(model_id, *rows["content_id"].to_pylist())
    shard = store.shard_writer(ASSIGNMENTS).write(name, rows, {"model_id": model_id})
    lease.check()
    store.commit_shards(ASSIGNMENTS, [shard], lease.fence)


def read_assignments(store: Store, model_id: str, contents: pa.Array) -> Assigned:
    """Return the assignments of given contents in a model, sorted by content_id."""
    mine = (pc.field("model_id") == model_id) & (pc.field("region") == "")
    table = store.table(ASSIGNMENTS).read(None, mine)
    table = table.filter(pc.is_in(table["content_id"], contents)).sort_by("content_id")
    return Assigned(table["content_id"].combine_chunks(), table.drop_columns(["content_id"]))
