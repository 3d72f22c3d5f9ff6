"""Fitting a model anew after another one: from it or from nothing, with its clusters' numbers."""

from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from artcluster.lineage.matching import changes, match_clusters, overlap, stable_numbers
from artcluster.schema import LINEAGE
from artcluster.store import Lease
from artcluster.store.members import split_members
from artcluster.workflows.archives import contents_of
from artcluster.workflows.clustering.assignments import load_model, read_assignments
from artcluster.workflows.clustering.methods import find_method, fit
from artcluster.workflows.clustering.methods.base import Fitted, TrainingSet, vectors_for
from artcluster.workflows.clustering.methods.own_network import keep_vectors
from artcluster.workflows.clustering.run_pair import RunView, run_pair
from artcluster.workflows.curation.edits import inherit_edits
from artcluster.workflows.job import Job
from artcluster.workflows.runs import Run, clusters_of_run, next_cluster


def record_lineage(
    job: Job, run_id: str, scan_id: int, model_id: str, parent: Run, lease: Lease
) -> None:
    """Write the lineage of a run whose clusters are written, and the edits that follow from it.

    Args:
        scan_id: Its scan.
        model_id: Its model; every content is assigned.
        parent: The run that it follows.
        lease: On the archive's runs.
    """
    old = RunView(parent.archive_id, parent.scan_id, parent.model_id)
    new = RunView(parent.archive_id, scan_id, model_id)
    with run_pair(job.store, job.config, old, new) as pair:
        found = pair.overlap(
            clusters_of_run(job.store, parent.run_id), clusters_of_run(job.store, run_id)
        )
    listed = changes(found)
    inherit_edits(job.store, parent.series, run_id, listed, lease.fence)
    rows = [{"run_id": run_id, **asdict(change)} for change in listed]
    job.store.append(LINEAGE, pa.Table.from_pylist(rows, LINEAGE.schema), lease.fence)


def refit(job: Job, data: TrainingSet, parent: Run, *, warm: bool) -> Fitted:
    """Fit a model whose clusters have the numbers of the parent's that they continue.

    Clusters are matched by the members that parent and model share among the vectors of the fit:
    all of them, or the sample that is recorded with the run.

    Args:
        data: The vectors of today.
        parent: The run to follow.
        warm: Start from the parent's model, if the method can and these are the vectors it takes.

    Raises:
        UsageError: There are fewer distinct contents than clusters asked for.
    """
    resume = find_method(job.config.cluster.method).warm
    last = load_model(job.store, parent.model_id) if warm else None
    if last is not None and resume is not None and last.embedder_id == data.embedder_id:
        fitted = resume(job, data, last)
    else:
        fitted = fit(job, data)
        keep_vectors(job, data.archive_id, fitted)
    with job.timings.stage("match"):
        numbers_K = _numbers(job, data, parent, fitted)
    return replace(fitted, model=replace(fitted.model, numbers_K=numbers_K))


def _numbers(job: Job, data: TrainingSet, parent: Run, fitted: Fitted) -> np.ndarray:
    model = fitted.model
    taken = vectors_for(job, model, data)
    covered = contents_of(job.store, parent.archive_id, job.config, run_id=parent.run_id)
    pictures, _ = split_members(taken.content_ids)
    shared_N = np.asarray(pc.is_in(pictures, covered))
    before = read_assignments(
        job.store, parent.model_id, taken.content_ids.filter(pa.array(shared_N))
    )
    now = model.predict(taken.x_ND[shared_N], threads=torch.get_num_threads())
    found = overlap(
        before.assignment.cluster,
        model.centroid_rows(now.cluster),
        new_clusters=np.arange(model.k),
    )
    return stable_numbers(
        found.new_sizes_B,
        match_clusters(found, job.config.update.match_jaccard),
        next_cluster(job.store, parent.series),
    )
