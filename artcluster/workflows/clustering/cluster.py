"""Making a run: a model is fitted, every content assigned and measured, the run's row written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.clustering.kmeans.kmeans import sample_indices
from artcluster.clustering.model.model import ClusterModel
from artcluster.errors import ArtclusterError, UsageError
from artcluster.schema import ASSIGNMENTS, CLUSTERS, EDITS, LINEAGE, MODELS, RUNS, Table
from artcluster.store import Lease
from artcluster.store.clock import next_time
from artcluster.store.layout import MODELS as MODEL_FILES
from artcluster.store.members import split_members
from artcluster.store.metadata import metadata_version
from artcluster.store.vectors import gather
from artcluster.workflows.archives import (
    choose_archive,
    choose_embedder,
    contents_of,
    fitting_embedders,
    known_archive,
    members_of,
)
from artcluster.workflows.clustering.assignments import (
    assign_contents,
    load_model,
    read_assignments,
)
from artcluster.workflows.clustering.fingerprints import (
    deciding_settings,
    model_params,
    run_params,
)
from artcluster.workflows.clustering.labels import check_labels, labels_of, measure_late_labels
from artcluster.workflows.clustering.measure import RunMeasures, keywords_of_clusters, measure
from artcluster.workflows.clustering.methods import fit, network_of
from artcluster.workflows.clustering.methods.base import TrainingSet, vectors_for
from artcluster.workflows.clustering.methods.own_network import (
    keep_vectors,
    own_embedder,
    with_own_network,
)
from artcluster.workflows.clustering.refit import record_lineage, refit
from artcluster.workflows.clustering.supervision import check_supervision, with_stored_hints
from artcluster.workflows.job import Job, fingerprint
from artcluster.workflows.legacy_ids import legacy_model_id, legacy_run_id
from artcluster.workflows.results import ClusterSummary
from artcluster.workflows.runs import (
    RUN_TABLES,
    Run,
    find_run,
    finished_run,
    next_cluster,
    read_runs,
    run_exists,
)

_VERSIONS = ("artcluster", "torch", "numpy", "scikit-learn", "pillow", "deltalake", "ray")


@dataclass(frozen=True)
class NewRun:
    """What a run is to be.

    Attributes:
        run_id: Its name, made of `facts` and the settings that decide it.
        facts: What it is of: archive_id, scan_id, embedder_id, metadata_version, parent.
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
    parent: Run | None = None
    model: Literal["new", "warm", "kept"] = "new"
    decision: Mapping[str, Any] | None = None
    holds: Lease | None = None


def make_run(job: Job, run: NewRun) -> None:
    """Make a run that does not exist; what an earlier job finished of it is kept.

    Raises:
        ArtclusterError: `cluster.use_gpu` is on, and there is no GPU.
        UsageError: There are fewer distinct images than clusters.
        LeaseHeldError: Another job fits the same model.
    """
    archive_id, embedder_id = run.facts["archive_id"], run.facts["embedder_id"]
    settings = job.config.cluster
    if settings.use_gpu and job.local.resources().gpus < 1 and job.executor.resources().gpus < 1:
        raise ArtclusterError(
            "cluster.use_gpu asks for a GPU, and there is none: neither where this job runs nor on "
            "the machines that it may use. Leave the setting out to compute on CPUs."
        )
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
    model_id = _name_model(job, run, fitted_on)
    with job.lease(f"model={model_id}", ASSIGNMENTS, MODELS, CLUSTERS, LINEAGE, EDITS, RUNS) as own:
        if finished_run(job.store, run.run_id) is not None:
            # The job that held the lease until now made this very run.
            return
        if run.model == "kept":
            model = load_model(job.store, model_id)
        else:
            model = _model(job, run, model_id, fitted_on, own)
        with job.timings.stage("assign", len(contents)):
            assign_contents(job, model_id, model, model.embedder_id, contents, own)
        with job.timings.stage("measure"):
            assigned = read_assignments(job.store, model_id, contents)
            pictures, _ = split_members(assigned.content_ids)
            labels = labels_of(job, archive_id, settings.labels, pictures)
            taken = vectors_for(job, model, data)
            measured = measure(model, taken, assigned, labels, settings)
            terms = keywords_of_clusters(job, archive_id, assigned)
        _commit(job, run, model_id, model, measured, terms, run.holds or own)


def _name_model(job: Job, run: NewRun, data: TrainingSet) -> str:
    if run.parent is not None and run.model == "kept":
        return run.parent.model_id
    settings = job.config.cluster
    facts: dict[str, Any] = {"contents": data.digest, "embedder_id": data.embedder_id}
    if run.parent is not None:
        facts |= {
            "follows": run.parent.run_id,
            "start": run.model,
            "next_cluster": next_cluster(job.store, run.parent.series),
            "match_jaccard": job.config.update.match_jaccard,
        }
    before = legacy_model_id(facts, settings)
    if _has_model(job, before):
        return before
    return f"{settings.method}-{fingerprint(facts | {'settings': model_params(settings)})}"


def _has_model(job: Job, model_id: str) -> bool:
    rows = job.store.table(MODELS).read(["model_id"], pc.field("model_id") == model_id)
    return bool(rows.num_rows)


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
    lease: Lease,
) -> ClusterModel:
    """Return the model, fitted now or by an earlier job."""
    folder = MODEL_FILES.path(model_id)
    if _has_model(job, model_id):
        return load_model(job.store, model_id)
    if run.parent is None:
        fitted = fit(job, data)
        keep_vectors(job, data.archive_id, fitted)
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
        "config": json.dumps(deciding_settings(job.config.cluster)),
        "training": json.dumps(training),
        "path": folder,
        "created_at": next_time(job.store, MODELS),
    }
    lease.check()
    job.store.append(MODELS, pa.Table.from_pylist([row], MODELS.schema), lease.fence)
    return fitted.model


def _commit(
    job: Job,
    run: NewRun,
    model_id: str,
    model: ClusterModel,
    measured: RunMeasures,
    terms: Mapping[int, Sequence[str]],
    lease: Lease,
) -> None:
    """Write the run's clusters and lineage, then its row: with that the run exists.

    A run that exists and lacks some of that, since a damaged file was taken out, keeps its row.
    """
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
        "created_at": next_time(job.store, RUNS),
    }
    lease.check()
    if run_exists(job.store, run.run_id):
        return
    job.store.append(RUNS, pa.Table.from_pylist([row], RUNS.schema), lease.fence)


def _has_rows(job: Job, table: Table, run_id: str) -> bool:
    rows = job.store.table(table).read(["run_id"], pc.field("run_id") == run_id)
    return bool(rows.num_rows)


def _choose_vectors(job: Job, archive_id: str, wanted: str | None) -> str:
    """Return the embedder whose vectors are meant; see `cluster_archive`."""
    settings = job.config.embed
    if wanted is None and "backbone" in settings.model_fields_set:
        wanted = settings.backbone if fitting_embedders(job.store, settings.backbone) else None
    fitting = fitting_embedders(job.store, wanted)
    if len(fitting) > 1:
        for run in reversed(read_runs(job.store, archive_id)):
            if run.embedder_id in fitting:
                job.progress.say(
                    f"Clustering the vectors of {run.embedder_id}, as run {run.run_id} did; "
                    "--backbone chooses others."
                )
                return run.embedder_id
    return choose_embedder(job.store, wanted)


def cluster_archive(
    job: Job,
    archive_id: str | None,
    embedder: str | None = None,
    *,
    force: bool = False,
    parent: str | None = None,
) -> ClusterSummary:
    """Fit a model on an archive's vectors, assign every image, measure, and commit the run.

    Each step is kept as it is finished: a job that was killed goes on from there. The run's row
    is written last; a run that exists is not made again.

    Args:
        archive_id: Which archive; None for the only one.
        embedder: Whose vectors, by name or id; by default the only one's, or of several those of
            the backbone that the config names, or of the archive's last run. Methods with a
            network of their own make their vectors themselves.
        force: Make another run of the same.
        parent: A run, or `last`, whose clusters' numbers go on in this one's; by default none:
            a run that nobody asked to follow another begins a series of its own.

    Raises:
        UsageError: The choice is not clear, the method takes no such vectors, a label is no column,
            there are too few images, or no such parent.
        TooFewError: There are too few faces to group.
        LeaseHeldError: Another job clusters the same.
    """
    archive_id = choose_archive(job.store, archive_id)
    config = with_own_network(job.config)
    if network_of(config.cluster) is None:
        embedder_id = _choose_vectors(job, archive_id, embedder)
        check_supervision(config.cluster, embedder_id)
        job = with_stored_hints(job, archive_id)
    else:
        job = with_stored_hints(replace(job, config=config), archive_id)
        own = own_embedder(job, archive_id)
        embedder_id = own.embedder_id
        if embedder not in (None, embedder_id, own.contract.name):
            job.progress.say(f"{job.config.cluster.method} has no use for vectors of {embedder}.")
    check_labels(job.store, job.config.cluster.labels)
    known = known_archive(job.store, archive_id, job.config)
    follows = None if parent is None else find_run(read_runs(job.store, archive_id), parent)
    facts = {
        "archive_id": archive_id,
        "scan_id": known.scan_id,
        "embedder_id": embedder_id,
        "metadata_version": metadata_version(job.store, archive_id),
        "parent": None if follows is None else follows.run_id,
    }
    settings = job.config.cluster
    again = {"at": datetime.now(UTC).isoformat()} if force else {}
    run_id = fingerprint(facts | {"settings": run_params(settings)} | again)
    for name in (run_id, legacy_run_id(facts | again, settings)):
        done = finished_run(job.store, name)
        if done is not None:
            return measure_late_labels(job, done)
    if follows is None:
        make_run(job, NewRun(run_id, facts, known.images))
    else:
        with job.lease(f"runs={archive_id}", *RUN_TABLES) as lease:
            make_run(job, NewRun(run_id, facts, known.images, parent=follows, holds=lease))
    made = finished_run(job.store, run_id)
    assert made is not None
    return replace(made, already=False, seconds=dict(job.timings.seconds))
