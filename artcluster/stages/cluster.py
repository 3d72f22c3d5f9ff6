"""The clustering job: an archive's vectors become a model, assignments, metrics and a run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.clustering.kmeans import sample_indices
from artcluster.clustering.model import ClusterModel
from artcluster.schema import ASSIGNMENTS, CLUSTERS, MODELS, RUNS
from artcluster.stages.assignments import assign_contents, load_model, read_assignments
from artcluster.stages.fit import TrainingSet, fit
from artcluster.stages.job import Job
from artcluster.stages.known import (
    choose_archive,
    choose_embedder,
    contents_of,
    known_archive,
)
from artcluster.stages.measure import Measured, measure
from artcluster.stages.metadata import check_labels, labels_of
from artcluster.stages.summary import ClusterSummary
from artcluster.store.metadata import metadata_version
from artcluster.store.vectors import gather

_VERSIONS = ("artcluster", "torch", "numpy", "scikit-learn", "pillow", "deltalake", "ray")


def cluster_archive(
    job: Job, archive_id: str | None, embedder: str | None = None, *, force: bool = False
) -> ClusterSummary:
    """Fit a model on an archive's vectors, assign every image, measure, and commit the run.

    Each step is kept as it is finished: a job that was killed goes on from there. The run's row
    is written last; a run that exists is not made again.

    Args:
        job: What to work with.
        archive_id: Which archive; None for the only one.
        embedder: Whose vectors, by name or id; None for the only one.
        force: Make another run of the same.

    Raises:
        UsageError: The choice is not clear, a label is no column, or there are too few images.
        LeaseHeldError: Another job clusters the same.
    """
    archive_id = choose_archive(job.store, archive_id)
    embedder_id = choose_embedder(job.store, embedder)
    check_labels(job.store, job.config.cluster.labels)
    known = known_archive(job.store, archive_id, job.config)
    run = {
        "archive_id": archive_id,
        "scan_id": known.scan_id,
        "embedder_id": embedder_id,
        "metadata_version": metadata_version(job.store, archive_id),
        "parent": None,
        "config": job.config.model_dump(mode="json", include={"cluster"}),
    }
    run_id = _digest(run | ({"at": datetime.now(UTC).isoformat()} if force else {}))
    done = _finished(job, run_id)
    if done is not None:
        return done
    with job.timings.stage("gather"):
        contents = contents_of(job.store, archive_id, job.config)
        data = _training_set(job, embedder_id, contents)
    settings = job.config.cluster.model_dump(mode="json", exclude={"labels", "workers", "use_gpu"})
    facts = {"contents": data.digest, "embedder_id": embedder_id, "settings": settings}
    model_id = f"{job.config.cluster.method}-{_digest(facts)}"
    with job.lease(f"model={model_id}", ASSIGNMENTS) as lease:
        model = _model(job, model_id, data, settings)
        with job.timings.stage("assign", len(contents)):
            assign_contents(job, model_id, model, embedder_id, contents, lease)
        with job.timings.stage("measure"):
            assigned = read_assignments(job.store, model_id, contents)
            labels = labels_of(job, archive_id, job.config.cluster.labels, assigned.content_ids)
            measured = measure(model, data, assigned, labels, job.config.cluster)
        _commit(job, run_id, run, model_id, known.images, measured)
    found = _finished(job, run_id)
    assert found is not None
    return replace(found, already=False, seconds=dict(job.timings.seconds))


def _training_set(job: Job, embedder_id: str, contents: pa.Array) -> TrainingSet:
    settings = job.config.cluster
    rows = sample_indices(len(contents), settings.max_training_vectors, settings.seed)
    chosen = contents if len(rows) == len(contents) else contents.take(pa.array(rows))
    content_ids, x_ND = gather(
        job.store, embedder_id, chosen, limit_bytes=settings.max_training_bytes
    )
    return TrainingSet(embedder_id, content_ids, x_ND, len(contents))


def _model(job: Job, model_id: str, data: TrainingSet, settings: Mapping[str, Any]) -> ClusterModel:
    """Return the model, fitted now or by an earlier job."""
    folder = f"models/{model_id}"
    if job.store.table(MODELS).read(["model_id"], pc.field("model_id") == model_id).num_rows:
        return load_model(job.store, model_id)
    fitted = fit(job, data)
    for name, content in fitted.model.to_files().items():
        job.store.write_bytes(f"{folder}/{name}", content)
    training = {
        "verdict": fitted.verdict,
        "fitted_on": len(data.content_ids),
        "sampled_from": data.sampled_from,
        **fitted.training,
    }
    row = {
        "model_id": model_id,
        "method": job.config.cluster.method,
        "k": job.config.cluster.k,
        "embedder_id": data.embedder_id,
        "config": json.dumps(settings),
        "training": json.dumps(training),
        "path": folder,
        "created_at": datetime.now(UTC),
    }
    job.store.append(MODELS, pa.Table.from_pylist([row], MODELS.schema))
    return fitted.model


def _commit(
    job: Job,
    run_id: str,
    run: Mapping[str, Any],
    model_id: str,
    images: int,
    measured: Measured,
) -> None:
    """Write the run's clusters, then its row: with that the run exists."""
    if job.store.table(CLUSTERS).read(["run_id"], pc.field("run_id") == run_id).num_rows == 0:
        rows = [
            {
                "run_id": run_id,
                "cluster": cluster,
                "size": size,
                "medoids": measured.medoids[cluster],
                "terms": [],
            }
            for cluster, size in measured.sizes.items()
        ]
        job.store.append(CLUSTERS, pa.Table.from_pylist(rows, CLUSTERS.schema))
    row = {
        **run,
        "run_id": run_id,
        "model_id": model_id,
        "images": images,
        "config": json.dumps(job.config.public()),
        "metrics": json.dumps(measured.metrics),
        "versions": json.dumps({name: version(name) for name in _VERSIONS}),
        "timings": json.dumps(job.timings.seconds),
        "created_at": datetime.now(UTC),
    }
    job.store.append(RUNS, pa.Table.from_pylist([row], RUNS.schema))


def _finished(job: Job, run_id: str) -> ClusterSummary | None:
    """Return a run that exists, as the store has it."""
    rows = job.store.table(RUNS).read(None, pc.field("run_id") == run_id).to_pylist()
    if not rows:
        return None
    run = rows[0]
    model_id = run["model_id"]
    models = job.store.table(MODELS).read(None, pc.field("model_id") == model_id).to_pylist()
    clusters = job.store.table(CLUSTERS).read(["cluster", "size"], pc.field("run_id") == run_id)
    sizes = {row["cluster"]: row["size"] for row in clusters.to_pylist()}
    return ClusterSummary(
        run_id=run_id,
        model_id=model_id,
        archive_id=run["archive_id"],
        method=models[0]["method"],
        k=models[0]["k"],
        images=run["images"],
        contents=sum(sizes.values()),
        sizes=sizes,
        metrics=json.loads(run["metrics"]),
        verdict=json.loads(models[0]["training"])["verdict"],
        already=True,
    )


def _digest(facts: Mapping[str, Any]) -> str:
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
