"""Assigning contents to a model's clusters: each once, written as it goes, read back in order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from artcluster.clustering.model.confidence import Assignment
from artcluster.clustering.model.model import ClusterModel
from artcluster.runtime.executor import Step
from artcluster.schema import ASSIGNMENTS
from artcluster.store import Lease, ShardInfo, Store, shard_name
from artcluster.store.layout import MODELS as MODEL_FILES
from artcluster.store.members import (
    as_keys,
    by_member,
    from_keys,
    member_ids,
    positions,
    sorted_keys,
    split_members,
)
from artcluster.store.vectors import read_ids, read_vectors
from artcluster.workflows.job import Job

_KEYS = ["content_id", "region"]
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
        assignment: What each was assigned to.
    """

    content_ids: pa.Array
    assignment: Assignment


def load_model(store: Store, model_id: str) -> ClusterModel:
    """Read a model from the store."""
    prefix = MODEL_FILES.path(model_id, "")
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
        model_id: The model's name; its files are in the store.
        contents: Members to assign; those without a vector are passed over.
        lease: On the model's assignments.
    """
    model.check(embedder_id)
    keys = sorted_keys(contents)
    done_N = np.zeros(len(keys), bool)
    for rows_M, _ in _known(job.store, model_id, keys, []):
        done_N[rows_M] = True
    job.progress.advance("assign", int(done_N.sum()))
    if done_N.all():
        return
    new = keys[~done_N] if done_N.any() else keys
    executor = job.executor if len(new) >= _WORTH_A_CLUSTER else job.local
    for shard in executor.stream(
        _batches(job.store, embedder_id, new),
        [Step("assign", AssignBatch(job.store, model_id, embedder_id))],
        stall_timeout_s=job.config.embed.stall_timeout_s,
    ):
        lease.check()
        job.store.commit_shards(ASSIGNMENTS, [shard], lease.fence)
        job.progress.advance("assign", shard.rows)


def read_assignments(store: Store, model_id: str, contents: pa.Array) -> Assigned:
    """Return the assignments of given members in a model, sorted by member.

    Beside the names themselves it takes 22 bytes a member.
    """
    keys = sorted_keys(contents)
    is_there_N = np.zeros(len(keys), bool)
    columns = {each.name: each.type for each in ASSIGNMENTS.file_schema if each.name not in _KEYS}
    values = {name: np.empty(len(keys), kind.to_pandas_dtype()) for name, kind in columns.items()}
    for rows_M, some in _known(store, model_id, keys, list(columns)):
        is_there_N[rows_M] = True
        for name, values_N in values.items():
            values_N[rows_M] = some[name].to_numpy(zero_copy_only=False)
    if not is_there_N.all():
        keys = keys[is_there_N]
        values = {name: values_N[is_there_N] for name, values_N in values.items()}
    return Assigned(from_keys(keys), Assignment(**values))


def _known(
    store: Store, model_id: str, keys: np.ndarray, columns: list[str]
) -> Iterator[tuple[np.ndarray, pa.RecordBatch]]:
    """Yield what is assigned already: where among the sorted keys, and these columns of it."""
    table = store.table(ASSIGNMENTS)
    for batch in table.batches([*_KEYS, *columns], pc.field("model_id") == model_id):
        members = member_ids(batch["content_id"], batch["region"])
        rows_M, hit_M = positions(keys, as_keys(members))
        yield rows_M[hit_M], batch.filter(pa.array(hit_M))


def _batches(store: Store, embedder_id: str, keys: np.ndarray) -> Iterator[Batch]:
    """Yield files with the rows wanted of them, so many that they fill a shard."""
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
