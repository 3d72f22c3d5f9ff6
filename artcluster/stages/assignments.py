"""Assigning contents to a model's clusters: each once, written as it goes, read back in order."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import torch

from artcluster.clustering.model import ClusterModel
from artcluster.schema import ASSIGNMENTS
from artcluster.stages.job import Job
from artcluster.store import Lease, Store, shard_name
from artcluster.store.member_ids import by_member, split_members
from artcluster.store.vectors import read_vectors

_ROWS_A_SHARD = 262_144


@dataclass(frozen=True)
class Assigned:
    """Members and their clusters, sorted.

    Attributes:
        content_ids: Members: content_ids, of parts of pictures with their region.
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
    """Assign the members that have no assignment in this model yet; vectors are streamed.

    Args:
        job: What to work with.
        model_id: The model's name.
        model: The model.
        embedder_id: Whose vectors.
        contents: Members to assign; those without a vector are passed over.
        lease: On the model's assignments.
    """
    model.check(embedder_id)
    columns = ["content_id", "region"]
    known = job.store.table(ASSIGNMENTS).read(columns, pc.field("model_id") == model_id)
    job.progress.advance("assign", known.num_rows)
    done = by_member(known)["member"].combine_chunks()
    new = contents.filter(pc.invert(pc.is_in(contents, done)))
    if not len(new):
        return
    pending: list[pa.Table] = []
    rows = 0
    for members, x_ND in read_vectors(job.store, embedder_id, new):
        found = model.predict(x_ND, threads=torch.get_num_threads())
        keys = dict(zip(columns, split_members(pa.array(members, pa.string())), strict=True))
        pending.append(pa.table(keys | found.columns()))
        rows += len(members)
        job.progress.advance("assign", len(members))
        if rows >= _ROWS_A_SHARD:
            _write(job.store, model_id, pending, lease)
            pending, rows = [], 0
    if pending:
        _write(job.store, model_id, pending, lease)


def _write(store: Store, model_id: str, tables: list[pa.Table], lease: Lease) -> None:
    rows = pa.concat_tables(tables)
    name = shard_name(model_id, *by_member(rows)["member"].to_pylist())
    shard = store.shard_writer(ASSIGNMENTS).write(name, rows, {"model_id": model_id})
    lease.check()
    store.commit_shards(ASSIGNMENTS, [shard], lease.fence)


def read_assignments(store: Store, model_id: str, contents: pa.Array) -> Assigned:
    """Return the assignments of given members in a model, sorted by member."""
    table = by_member(store.table(ASSIGNMENTS).read(None, pc.field("model_id") == model_id))
    table = table.filter(pc.is_in(table["member"], contents)).sort_by("member")
    return Assigned(table["member"].combine_chunks(), table.drop_columns(["member"]))
