"""The 2-D map of a model: fitted on a sample once, everything else placed in it."""

import io
import json
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from safetensors.numpy import load, save

from artcluster.clustering.model.model import ClusterModel
from artcluster.config import from_settings
from artcluster.errors import UsageError
from artcluster.projection import LAYOUTS, check_layout, make_layout
from artcluster.projection.layout import Components, LayoutSettings, stratified_sample
from artcluster.schema import ASSIGNMENTS, MODELS, PROJECTIONS
from artcluster.store import Lease, Store, shard_name
from artcluster.store.layout import model_map
from artcluster.store.members import by_member, split_members
from artcluster.store.vectors import gather, read_vectors
from artcluster.workflows.clustering.assignments import load_model
from artcluster.workflows.job import Job

_ROWS_A_SHARD = 32_768


@dataclass(frozen=True)
class MapSummary:
    """A map as it is now."""

    model_id: str
    method: str
    fitted_on: int
    """Contents that the map was fitted on."""
    points: int
    """Contents with a place in it."""
    placed: int
    """Contents placed by this job, without those that a new map was fitted on."""
    already: bool
    """Whether there was nothing to do."""


@dataclass(frozen=True)
class _Reference:
    """What a map was fitted on, and how: enough to place further contents in it."""

    content_ids: pa.Array
    y_N2: np.ndarray
    components: Components
    facts: dict[str, object]


def project_model(job: Job, model_id: str, asked: str | None = None) -> MapSummary:
    """Give every content that a model assigned a place in the model's map.

    The map is fitted once; contents that came since are placed in it, and nothing in it moves.

    Args:
        asked: The method that a map already there must be of; None for any.

    Raises:
        UsageError: The settings ask for a method that is not installed, or the model has a map of
            another one.
        LeaseHeldError: Another job makes the same map.
    """
    check_layout(asked or job.config.map.method)
    with job.lease(f"map={model_id}", PROJECTIONS) as lease:
        of_model = pc.field("model_id") == model_id
        keys = ["content_id", "region"]
        assigned = by_member(job.store.table(ASSIGNMENTS).read([*keys, "cluster"], of_model))
        known = by_member(job.store.table(PROJECTIONS).read(keys, of_model))["member"]
        new = assigned.filter(pc.invert(pc.is_in(assigned["member"], known.combine_chunks())))
        reference = _read_reference(job.store, model_id)
        if reference is not None and asked not in (None, reference.facts["method"]):
            raise UsageError(
                f"the model {model_id} has a map by {reference.facts['method']} already, and a map "
                f"does not change: leave --method {asked} out, or cluster anew"
            )
        if reference is not None and not new.num_rows:
            return _summary(model_id, reference, len(known), 0, already=True)
        row = job.store.table(MODELS).read(["embedder_id"], of_model).to_pylist()[0]
        model = load_model(job.store, model_id)
        if reference is None:
            with job.timings.stage("map", unit="images"):
                reference = _fit(job, model_id, model, row["embedder_id"], assigned)
        fresh = pc.is_in(reference.content_ids, new["member"].combine_chunks())
        if pc.any(fresh).as_py():
            rows = np.flatnonzero(fresh.to_numpy(zero_copy_only=False))
            _write(job, model_id, reference.content_ids.take(rows), reference.y_N2[rows], lease)
        others = new.filter(pc.invert(pc.is_in(new["member"], reference.content_ids)))
        placed = 0
        if others.num_rows:
            with job.timings.stage("place", others.num_rows):
                wanted = others["member"].combine_chunks()
                placed = _place(job, model_id, model, row["embedder_id"], reference, wanted, lease)
        return _summary(model_id, reference, len(known) + new.num_rows, placed, already=False)


def _fit(
    job: Job, model_id: str, model: ClusterModel, embedder_id: str, assigned: pa.Table
) -> _Reference:
    settings = job.config.map
    ordered = assigned.sort_by("member")
    rows = stratified_sample(ordered["cluster"].to_numpy(), settings.max_fitted, settings.seed)
    content_ids, x_ND = gather(
        job.store,
        embedder_id,
        ordered["member"].take(pa.array(rows)).combine_chunks(),
        limit_bytes=settings.max_bytes,
    )
    z_ND = model.transform(x_ND, threads=torch.get_num_threads())
    components = Components.fit(z_ND, settings.pca_dim, settings.seed)
    how = from_settings(LayoutSettings, settings, threads=torch.get_num_threads())
    layout = make_layout(settings.method, how)
    y_N2 = layout.fit(components(z_ND))
    package = LAYOUTS[settings.method].package
    record: dict[str, object] = {
        "method": settings.method,
        "settings": vars(how),
        "pca_dim": settings.pca_dim,
        "fitted_on": len(content_ids),
        "sampled_from": assigned.num_rows,
        "versions": {package: version(package)},
    }
    reference = _Reference(content_ids, y_N2, components, record)
    _write_reference(job.store, model_id, reference)
    job.progress.advance("map", len(content_ids))
    return reference


def _place(
    job: Job,
    model_id: str,
    model: ClusterModel,
    embedder_id: str,
    reference: _Reference,
    wanted: pa.Array,
    lease: Lease,
) -> int:
    """Place contents in the map, a shard at a time."""
    threads = torch.get_num_threads()
    _, x_ND = gather(
        job.store, embedder_id, reference.content_ids, limit_bytes=job.config.map.max_bytes
    )
    z_ND = reference.components(model.transform(x_ND, threads=threads))
    recorded = reference.facts["settings"]
    assert isinstance(recorded, dict)
    layout = make_layout(str(reference.facts["method"]), LayoutSettings(**recorded))
    placer = layout.placer(z_ND, reference.y_N2)
    del x_ND
    ids: list[str] = []
    waiting: list[np.ndarray] = []

    def write() -> int:
        _write(job, model_id, pa.array(ids), placer(np.concatenate(waiting)), lease)
        job.progress.advance("place", len(ids))
        return len(ids)

    placed = 0
    for content_ids, x_MD in read_vectors(job.store, embedder_id, wanted):
        ids.extend(content_ids)
        waiting.append(reference.components(model.transform(x_MD, threads=threads)))
        if len(ids) >= _ROWS_A_SHARD:
            placed += write()
            ids, waiting = [], []
    return placed + (write() if ids else 0)


def _write(job: Job, model_id: str, content_ids: pa.Array, y_N2: np.ndarray, lease: Lease) -> None:
    pictures, regions = split_members(content_ids)
    rows = pa.table(
        {
            "content_id": pictures,
            "region": regions,
            "x": y_N2[:, 0].astype(np.float32),
            "y": y_N2[:, 1].astype(np.float32),
        }
    )
    name = shard_name(model_id, *content_ids.to_pylist())
    shard = job.store.shard_writer(PROJECTIONS).write(name, rows, {"model_id": model_id})
    lease.check()
    job.store.commit_shards(PROJECTIONS, [shard], lease.fence)


def _write_reference(store: Store, model_id: str, reference: _Reference) -> None:
    """Keep what the map was fitted on, before any point of it is committed."""
    table = pa.table({"content_id": reference.content_ids})
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    arrays = {
        "content_ids": np.frombuffer(sink.getvalue(), np.uint8),
        "positions": reference.y_N2,
        "mean": reference.components.mean_D,
        "axes": reference.components.axes_CD,
    }
    metadata = {"map": json.dumps(reference.facts)}
    store.write_bytes(model_map(model_id), save(arrays, metadata=metadata))


def _read_reference(store: Store, model_id: str) -> _Reference | None:
    if not store.exists(model_map(model_id)):
        return None
    data = store.read_bytes(model_map(model_id))
    arrays = load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    ids = pa.ipc.open_file(pa.BufferReader(arrays["content_ids"].tobytes())).read_all()
    return _Reference(
        ids["content_id"].combine_chunks(),
        arrays["positions"],
        Components(arrays["mean"], arrays["axes"]),
        json.loads(header["__metadata__"]["map"]),
    )


def _summary(
    model_id: str, reference: _Reference, points: int, placed: int, *, already: bool
) -> MapSummary:
    return MapSummary(
        model_id,
        str(reference.facts["method"]),
        len(reference.content_ids),
        points,
        placed,
        already,
    )
