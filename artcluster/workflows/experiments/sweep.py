"""Choosing k: a method fitted at every number of clusters, measured, and one recommended."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.embedders import finds_faces
from artcluster.errors import UsageError
from artcluster.metrics.choosing_k import Candidate, mean_ari_with, recommend
from artcluster.schema import SWEEPS
from artcluster.store import Store
from artcluster.store.clock import next_time
from artcluster.workflows.archives import choose_archive, choose_embedder
from artcluster.workflows.clustering.methods import network_of
from artcluster.workflows.clustering.supervision import check_supervision
from artcluster.workflows.experiments.method_spec import Preset, parse_method
from artcluster.workflows.experiments.trial_data import (
    check_method,
    embedder_of,
    shared_items,
    vectors_of,
    with_hints,
)
from artcluster.workflows.experiments.trials import (
    Trial,
    clusters_of,
    measures_of,
    run_trials,
    trials_lease,
)
from artcluster.workflows.job import Job, fingerprint


@dataclass(frozen=True)
class Sweep:
    """A finished sweep.

    Attributes:
        method: The method, as it was asked for.
        embedder_id: The vectors it was given; those of the common space, too.
        sampled_from: Contents that there were to choose from.
        rows: A row of the table `sweeps` for each k, ascending.
        elbow: The k where the inertia bends; None where it does not.
        already: Whether it was made before.
        seconds: Spent now, a stage.
    """

    sweep_id: str
    archive_id: str
    method: str
    embedder_id: str
    points: int
    sampled_from: int
    rows: Sequence[Mapping[str, Any]]
    recommended: int
    reason: str
    elbow: int | None
    already: bool = False
    seconds: Mapping[str, float] | None = None


def make_sweep(
    job: Job,
    ks: Sequence[int],
    *,
    archive_id: str | None = None,
    embedder: str | None = None,
    method: str | None = None,
    where: str | None = None,
    preset: Preset | None = None,
) -> Sweep:
    """Fit a method at every k, on all contents and on resamples, and recommend a k.

    Labels take no part. Each fit is committed as it is finished: a sweep that was killed goes on
    where it stopped, and the same again is done already.

    Args:
        embedder: Whose vectors, by name or id; None for the only one.
        method: As `compare` takes it; None for the configured one.
        where: A condition in SQL on the metadata; None for all images.

    Raises:
        UsageError: The choice is not clear, or there are fewer contents than clusters.
        LeaseHeldError: Another job makes trials of the archive.
    """
    _check(ks)
    archive_id = choose_archive(job.store, archive_id)
    spec = parse_method(method or job.config.cluster.method)
    preset = preset or Preset()
    job = with_hints(job, archive_id, spec.method)
    configs = {k: spec.config(job.config, preset, k, job.config.cluster.seed) for k in ks}
    first = configs[ks[0]]
    # A method with vectors of its own is measured in their space.
    named = network_of(first.cluster) is not None or spec.backbone is not None
    common = "" if named else choose_embedder(job.store, embedder)
    check_method(spec, first, faces=True)
    check_supervision(first.cluster, common)
    embedder_id = embedder_of(job, archive_id, spec, first, common)
    with job.timings.stage("gather"):
        shared = shared_items(job, archive_id, embedder_id, where)
        data = vectors_of(job, shared.data, embedder_id)
    if len(data.x_ND) < max(ks):
        members = "faces" if finds_faces(embedder_id) else "distinct images"
        raise UsageError(
            f"--k: there are only {len(data.x_ND)} {members} to cluster into {max(ks)}"
        )
    parts: list[int | None] = [None, *range(job.config.trials.resamples)]
    trials = [
        Trial(replace(job, config=config), shared.data, data, part)
        for config in configs.values()
        for part in parts
    ]
    asked = {
        "where": where,
        "preset": preset.facts(),
        "trials": job.config.trials.model_dump(mode="json"),
    }
    with trials_lease(job, archive_id) as lease:
        made = run_trials(job, trials, lease)
        sweep_id = fingerprint([asked, spec.name, [row["trial_id"] for row in made]])
        known = read_sweep(job.store, sweep_id)
        if known is not None:
            return replace(known, already=True, seconds=dict(job.timings.seconds))
        whole = [row for row in made if row["resample"] is None]
        resampled = {
            k: [row for row in made if row["k"] == k and row["resample"] is not None] for k in ks
        }
        rows = [_row(job.store, row, resampled[row["k"]]) for row in whole]
        recommendation = recommend([_candidate(row) for row in rows])
        shared_columns = {
            "sweep_id": sweep_id,
            "archive_id": archive_id,
            "method": spec.name,
            "embedder_id": embedder_id,
            "points": len(data.x_ND),
            "sampled_from": shared.of,
            "asked": json.dumps(asked),
            "created_at": next_time(job.store, SWEEPS),
        }
        table = [
            {
                **shared_columns,
                **row,
                "elbow": row["k"] == recommendation.elbow,
                "recommended": row["k"] == recommendation.k,
                "reason": recommendation.reason if row["k"] == recommendation.k else None,
            }
            for row in rows
        ]
        lease.check()
        job.store.append(SWEEPS, pa.Table.from_pylist(table, SWEEPS.schema), lease.fence)
    done = read_sweep(job.store, sweep_id)
    assert done is not None
    return replace(done, seconds=dict(job.timings.seconds))


def read_sweep(store: Store, sweep_id: str) -> Sweep | None:
    """Return a sweep as the store has it."""
    rows = store.table(SWEEPS).read(None, pc.field("sweep_id") == sweep_id).sort_by("k").to_pylist()
    return _sweep(rows) if rows else None


def read_sweeps(store: Store, archive_id: str) -> list[Sweep]:
    """Return an archive's sweeps, the newest first; of those of one method and subset the last."""
    table = store.table(SWEEPS).read(None, pc.field("archive_id") == archive_id)
    by_id: dict[str, list[dict[str, Any]]] = {}
    for row in table.sort_by([("created_at", "descending"), ("k", "ascending")]).to_pylist():
        by_id.setdefault(row["sweep_id"], []).append(row)
    newest: dict[tuple[str, str, Any], Sweep] = {}
    for rows in by_id.values():
        first = rows[0]
        key = (first["method"], first["embedder_id"], json.loads(first["asked"])["where"])
        newest.setdefault(key, _sweep(rows))
    return list(newest.values())


def _check(ks: Sequence[int]) -> None:
    if not ks or min(ks) < 2:
        raise UsageError(f"--k: expected numbers of clusters from 2 up, got {list(ks)}")


def _row(
    store: Store, whole: Mapping[str, Any], resampled: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what a sweep keeps of one k."""
    stability = mean_ari_with(
        clusters_of(store, whole), [clusters_of(store, row) for row in resampled]
    )
    return {
        "k": whole["k"],
        "trial_id": whole["trial_id"],
        **measures_of(whole),
        "stability": None if math.isnan(stability) else stability,
        "resamples": len(resampled),
    }


def _candidate(row: Mapping[str, Any]) -> Candidate:
    def number(name: str) -> float:
        return float("nan") if row[name] is None else float(np.float64(row[name]))

    return Candidate(
        k=row["k"],
        non_empty=row["non_empty"],
        silhouette=number("silhouette_common"),
        calinski_harabasz=number("calinski_harabasz_common"),
        inertia=number("inertia_common"),
        stability=number("stability"),
    )


def _sweep(rows: Sequence[Mapping[str, Any]]) -> Sweep:
    first = rows[0]
    best = next(row for row in rows if row["recommended"])
    return Sweep(
        sweep_id=first["sweep_id"],
        archive_id=first["archive_id"],
        method=first["method"],
        embedder_id=first["embedder_id"],
        points=first["points"],
        sampled_from=first["sampled_from"],
        rows=rows,
        recommended=best["k"],
        reason=best["reason"],
        elbow=next((row["k"] for row in rows if row["elbow"]), None),
    )
