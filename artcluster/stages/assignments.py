"""Assigning contents to a model's clusters: each once, written as it goes, read back in order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from artcluster.clustering.model import ClusterModel
from artcluster.schema import ASSIGNMENTS
from artcluster.stages.executor import Step
from artcluster.stages.job import Job
from artcluster.store import Lease, ShardInfo, Store, shard_name
from artcluster.store.content_keys import as_keys, in_one, positions, sorted_keys
from artcluster.store.member_ids import by_member, split_members
from artcluster.store.vectors import read_ids, read_vectors

_ROWS_A_SHARD = 262_144
_WORTH_A_CLUSTER = 2_000_000
"""Members from which assigning is spread over the cluster: below, its start-up costs more."""


@dataclass(frozen=True)
class Batch:
    """Vectors to assign.

    Attributes:
        paths: Files of the `embeddings` table.
        wanted: Which of their rows, as bits.
    """

    paths: tuple[str, ...]
    wanted: np.ndarray

    def __repr__(self) -> str:
        return f"vectors from {self.paths[0]} on"


@dataclass(frozen=True)
class AssignBatch:
    """Assigns batches and writes their shards. Picklable; called once in each worker process."""

    store: Store
    model_id: str
    embedder_id: str

    def __call__(self) -> Callable[[Batch], ShardInfo]:
        """Read the model and return the step."""
        model = load_model(self.store, self.model_id)
        writer = self.store.shard_writer(ASSIGNMENTS)

        def assign(batch: Batch) -> ShardInfo:
            wanted_N = np.unpackbits(batch.wanted).astype(bool)
            tables = []
            start = 0
            for members, x_ND in read_vectors(self.store, self.embedder_id, paths=batch.paths):
                rows = np.flatnonzero(wanted_N[start : start + len(members)])
                start += len(members)
                chosen = pa.array(members, pa.string()).take(pa.array(rows))
                content_ids, regions = split_members(chosen)
                found = model.predict(x_ND[rows], threads=torch.get_num_threads())
                keys = {"content_id": content_ids, "region": regions}
                tables.append(pa.table(keys | found.columns()))
            table = pa.concat_tables(tables)
            name = shard_name(self.model_id, *by_member(table)["member"].to_pylist())
            return writer.write(name, table, {"model_id": self.model_id})

        return assign


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
    """Assign the members that have no assignment in this model yet.

    This process reads names alone; vectors are read where they are assigned, on the cluster if
    there are many, and each batch is committed as it is finished.

    Args:
        job: What to work with.
        model_id: The model's name; its files are in the store.
        model: The model.
        embedder_id: Whose vectors.
        contents: Members to assign; those without a vector are passed over.
        lease: On the model's assignments.
    """
    model.check(embedder_id)
    columns = ["content_id", "region"]
    known = job.store.table(ASSIGNMENTS).read(columns, pc.field("model_id") == model_id)
    job.progress.advance("assign", known.num_rows)
    done = positions(sorted_keys(by_member(known)["member"]), as_keys(contents))[1]
    new = contents.filter(pa.array(~done))
    if not len(new):
        return
    executor = job.executor if len(new) >= _WORTH_A_CLUSTER else job.local
    for shard in executor.stream(
        _batches(job.store, embedder_id, new),
        [Step("assign", AssignBatch(job.store, model_id, embedder_id))],
        stall_timeout_s=job.config.embed.stall_timeout_s,
    ):
        lease.check()
        job.store.commit_shards(ASSIGNMENTS, [shard], lease.fence)
        job.progress.advance("assign", shard.rows)


def _batches(store: Store, embedder_id: str, wanted: pa.Array) -> Iterator[Batch]:
    """Yield files with the rows wanted of them, so many that they fill a shard."""
    keys = sorted_keys(wanted)
    paths: list[str] = []
    hits: list[np.ndarray] = []
    rows = 0
    for path, members in read_ids(store, embedder_id):
        hit_N = positions(keys, as_keys(members))[1]
        if not hit_N.any():
            continue
        paths.append(path)
        hits.append(hit_N)
        rows += int(hit_N.sum())
        if rows >= _ROWS_A_SHARD:
            yield Batch(tuple(paths), np.packbits(np.concatenate(hits)))
            paths, hits, rows = [], [], 0
    if paths:
        yield Batch(tuple(paths), np.packbits(np.concatenate(hits)))


def read_assignments(store: Store, model_id: str, contents: pa.Array) -> Assigned:
    """Return the assignments of given members in a model, sorted by member."""
    columns = ASSIGNMENTS.file_schema.names
    table = by_member(store.table(ASSIGNMENTS).read(columns, pc.field("model_id") == model_id))
    wanted_N = positions(sorted_keys(contents), as_keys(table["member"]))[1]
    if not wanted_N.all():
        table = table.filter(pa.array(wanted_N))
    table = table.sort_by("member")
    return Assigned(in_one(table["member"]), table.drop_columns(["member"]))
