"""Making a run: a model is fitted, every content assigned and measured, the run's row written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.clustering.kmeans import sample_indices
from artcluster.clustering.model import ClusterModel
from artcluster.errors import UsageError
from artcluster.schema import ASSIGNMENTS, CLUSTERS, EDITS, LINEAGE, MODELS, RUNS, Table
from artcluster.stages.assignments import assign_contents, load_model, read_assignments
from artcluster.stages.cluster_terms import terms_of_clusters
from artcluster.stages.digest import digest
from artcluster.stages.job import Job
from artcluster.stages.known import contents_of, members_of
from artcluster.stages.measure import Measured, measure
from artcluster.stages.metadata import labels_of
from artcluster.stages.methods import TrainingSet, fit
from artcluster.stages.methods.own_network import network_of, own_embedder, with_own_network
from artcluster.stages.methods.vectors import vectors_for
from artcluster.stages.model_settings import model_settings
from artcluster.stages.record_lineage import record_lineage
from artcluster.stages.refit import refit
from artcluster.stages.runs import finished_run
from artcluster.stages.series import RunRecord, next_cluster
from artcluster.store import Lease
from artcluster.store.member_ids import split_members
from artcluster.store.vectors import gather

_VERSIONS = ("artcluster", "torch", "numpy", "scikit-learn", "pillow", "deltalake", "ray")


@dataclass(frozen=True)
class NewRun:
    """What a run is to be.

    Attributes:
        run_id: Its name, made of `facts`.
        facts: What decides it: archive_id, scan_id, embedder_id, metadata_version, parent, config.
        images: Usable images of the archive.
        parent: The run that it follows: clusters that go on keep their numbers.
        model: `new`: fitted from nothing. `warm`: fitted from the parent's model. `kept`: the
            parent's model as it is, applied to what came since.
        decision: Why it is made so, as JSON has it; for runs that follow one.
        holds: The lease on the archive's runs, where the job holds it already.
    """

    run_id: str
    facts: Mapping[str, Any]
    images: int
    parent: RunRecord | None = None
    model: Literal["new", "warm", "kept"] = "new"
    decision: Mapping[str, Any] | None = None
    holds: Lease | None = None


def make_run(job: Job, run: NewRun) -> None:
    """Make a run that does not exist; what an earlier job finished of it is kept.

    Raises:
        UsageError: There are fewer distinct images than clusters.
        LeaseHeldError: Another job fits the same model.
    """
    archive_id, embedder_id = run.facts["archive_id"], run.facts["embedder_id"]
    settings = job.config.cluster
    if run.parent is not None and run.model != "kept" and network_of(settings) is not None:
        # The parent's embedder may be a refined one: what follows begins where it began.
        job = replace(job, config=with_own_network(job.config))
        embedder_id = own_embedder(job, archive_id).embedder_id
    most = settings.max_training_vectors
    if run.model == "kept":
        most = min(most, job.config.update.measure_vectors)
    with job.timings.stage("gather"):
        contents = members_of(job.store, archive_id, embedder_id, job.config)
        data = _training_set(job, archive_id, embedder_id, contents, most)
        fitted_on = _each_image(job, data) if settings.count_duplicates else data
    model_id, facts = _name_model(job, run, fitted_on)
    with job.lease(f"model={model_id}", ASSIGNMENTS, MODELS, CLUSTERS, LINEAGE, EDITS, RUNS) as own:
        if finished_run(job.store, run.run_id) is not None:
            # The job that held the lease until now made this very run.
            return
        if run.model == "kept":
            model = load_model(job.store, model_id)
        else:
            model = _model(job, run, model_id, fitted_on, facts, own)
        with job.timings.stage("assign", len(contents)):
            assign_contents(job, model_id, model, model.embedder_id, contents, own)
        with job.timings.stage("measure"):
            assigned = read_assignments(job.store, model_id, contents)
            pictures, _ = split_members(assigned.content_ids)
            labels = labels_of(job, archive_id, settings.labels, pictures)
            taken = vectors_for(job, model, data)
            measured = measure(model, taken, assigned, labels, settings)
            terms = terms_of_clusters(job, archive_id, assigned)
        _commit(job, run, model_id, model, measured, terms, run.holds or own)


def _name_model(job: Job, run: NewRun, data: TrainingSet) -> tuple[str, dict[str, Any]]:
    """Return a model's name, and the settings that decide it."""
    settings = model_settings(job.config)
    if run.parent is not None and run.model == "kept":
        return run.parent.model_id, settings
    facts: dict[str, Any] = {
        "contents": data.digest,
        "embedder_id": data.embedder_id,
        "settings": settings,
    }
    if run.parent is not None:
        facts |= {
            "follows": run.parent.run_id,
            "start": run.model,
            "next_cluster": next_cluster(job.store, run.parent.series),
            "match_jaccard": job.config.update.match_jaccard,
        }
    return f"{job.config.cluster.method}-{digest(facts)}", settings


def _training_set(
    job: Job, archive_id: str, embedder_id: str, contents: pa.Array, most: int
) -> TrainingSet:
    settings = job.config.cluster
    rows = sample_indices(len(contents), most, settings.seed)
    chosen = contents if len(rows) == len(contents) else contents.take(pa.array(rows))
    content_ids, x_ND = gather(
        job.store, embedder_id, chosen, limit_bytes=settings.max_training_bytes
    )
    return TrainingSet(embedder_id, content_ids, x_ND, len(contents), archive_id)


def _each_image(job: Job, data: TrainingSet) -> TrainingSet:
    """Return a training set whose vectors are there as often as the archive has their contents."""
    times_N = data.times(contents_of(job.store, data.archive_id, job.config, each_path=True))
    most = job.config.cluster.max_training_bytes
    images, dim = int(times_N.sum()), data.x_ND.shape[1]
    if images * dim * data.x_ND.itemsize > most:
        raise UsageError(
            f"cluster.count_duplicates: {images:,} vectors of {dim} numbers, one an image, take "
            f"more than cluster.max_training_bytes = {most:,}: raise it, or lower "
            "cluster.max_training_vectors"
        )
    return data.repeated(times_N)


def _model(
    job: Job,
    run: NewRun,
    model_id: str,
    data: TrainingSet,
    settings: Mapping[str, Any],
    lease: Lease,
) -> ClusterModel:
    """Return the model, fitted now or by an earlier job."""
    folder = f"models/{model_id}"
    if job.store.table(MODELS).read(["model_id"], pc.field("model_id") == model_id).num_rows:
        return load_model(job.store, model_id)
    if run.parent is None:
        fitted = fit(job, data)
    else:
        fitted = refit(job, data, run.parent, warm=run.model == "warm")
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
        "k": fitted.model.k,
        "embedder_id": fitted.model.embedder_id,
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
    run: NewRun,
    model_id: str,
    model: ClusterModel,
    measured: Measured,
    terms: Mapping[int, Sequence[str]],
    lease: Lease,
) -> None:
    """Write the run's clusters and lineage, then its row: with that the run exists."""
    if not _has_rows(job, CLUSTERS, run.run_id):
        rows = [
            {
                "run_id": run.run_id,
                "cluster": cluster,
                "size": size,
                "medoids": measured.medoids[cluster],
                "terms": terms.get(cluster, []),
            }
            for cluster, size in measured.sizes.items()
        ]
        job.store.append(CLUSTERS, pa.Table.from_pylist(rows, CLUSTERS.schema), lease.fence)
    series, first_unused = run.run_id, int(model.numbers_K.max()) + 1
    if run.parent is not None:
        series = run.parent.series
        first_unused = max(first_unused, next_cluster(job.store, series))
        if not _has_rows(job, LINEAGE, run.run_id):
            record_lineage(job, run.run_id, run.facts["scan_id"], model_id, run.parent, lease)
    row = {
        **run.facts,
        "run_id": run.run_id,
        "embedder_id": model.embedder_id,
        "series": series,
        "model_id": model_id,
        "images": run.images,
        "next_cluster": first_unused,
        "decision": None if run.decision is None else json.dumps(run.decision),
        "config": json.dumps(job.config.public()),
        "metrics": json.dumps(measured.metrics),
        "versions": json.dumps({name: version(name) for name in _VERSIONS}),
        "timings": json.dumps(job.timings.seconds),
        "created_at": datetime.now(UTC),
    }
    lease.check()
    job.store.append(RUNS, pa.Table.from_pylist([row], RUNS.schema), lease.fence)


def _has_rows(job: Job, table: Table, run_id: str) -> bool:
    rows = job.store.table(table).read(["run_id"], pc.field("run_id") == run_id)
    return bool(rows.num_rows)
