"""Making a run: a model is fitted, every content assigned and measured, the run's row written."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.clustering.kmeans import sample_indices
from artcluster.clustering.model import ClusterModel
from artcluster.schema import ASSIGNMENTS, CLUSTERS, MODELS, RUNS
from artcluster.stages.assignments import assign_contents, load_model, read_assignments
from artcluster.stages.digest import digest
from artcluster.stages.job import Job
from artcluster.stages.known import contents_of
from artcluster.stages.measure import Measured, measure
from artcluster.stages.metadata import labels_of
from artcluster.stages.methods import TrainingSet, fit
from artcluster.stages.runs import finished_run
from artcluster.store import Lease
from artcluster.store.vectors import gather

_VERSIONS = ("artcluster", "torch", "numpy", "scikit-learn", "pillow", "deltalake", "ray")


def make_run(job: Job, run_id: str, run: Mapping[str, Any], images: int) -> None:
    """Make a run that does not exist; what an earlier job finished of it is kept.

    Args:
        job: What to work with.
        run_id: Its name.
        run: What decides it: archive_id, scan_id, embedder_id, metadata_version, parent, config.
        images: Usable images of the archive.

    Raises:
        UsageError: There are fewer distinct images than clusters.
        LeaseHeldError: Another job fits the same model.
    """
    archive_id, embedder_id = run["archive_id"], run["embedder_id"]
    with job.timings.stage("gather"):
        contents = contents_of(job.store, archive_id, job.config)
        data = _training_set(job, embedder_id, contents)
    settings = job.config.cluster.model_dump(mode="json", exclude={"labels", "workers", "use_gpu"})
    facts = {"contents": data.digest, "embedder_id": embedder_id, "settings": settings}
    model_id = f"{job.config.cluster.method}-{digest(facts)}"
    with job.lease(f"model={model_id}", ASSIGNMENTS, MODELS, CLUSTERS, RUNS) as lease:
        if finished_run(job.store, run_id) is not None:
            # The job that held the lease until now made this very run.
            return
        model = _model(job, model_id, data, settings, lease)
        with job.timings.stage("assign", len(contents)):
            assign_contents(job, model_id, model, embedder_id, contents, lease)
        with job.timings.stage("measure"):
            assigned = read_assignments(job.store, model_id, contents)
            labels = labels_of(job, archive_id, job.config.cluster.labels, assigned.content_ids)
            measured = measure(model, data, assigned, labels, job.config.cluster)
        _commit(job, run_id, run, model_id, images, measured, lease)


def _training_set(job: Job, embedder_id: str, contents: pa.Array) -> TrainingSet:
    settings = job.config.cluster
    rows = sample_indices(len(contents), settings.max_training_vectors, settings.seed)
    chosen = contents if len(rows) == len(contents) else contents.take(pa.array(rows))
    content_ids, x_ND = gather(
        job.store, embedder_id, chosen, limit_bytes=settings.max_training_bytes
    )
    return TrainingSet(embedder_id, content_ids, x_ND, len(contents))


def _model(
    job: Job, model_id: str, data: TrainingSet, settings: Mapping[str, Any], lease: Lease
) -> ClusterModel:
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
    lease.check()
    job.store.append(MODELS, pa.Table.from_pylist([row], MODELS.schema), lease.fence)
    return fitted.model


def _commit(
    job: Job,
    run_id: str,
    run: Mapping[str, Any],
    model_id: str,
    images: int,
    measured: Measured,
    lease: Lease,
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
        job.store.append(CLUSTERS, pa.Table.from_pylist(rows, CLUSTERS.schema), lease.fence)
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
    lease.check()
    job.store.append(RUNS, pa.Table.from_pylist([row], RUNS.schema), lease.fence)
