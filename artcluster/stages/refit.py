"""Fitting a model anew after another one: from it or from nothing, with its clusters' numbers."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from artcluster.lineage.matching import match_clusters
from artcluster.lineage.numbering import stable_numbers
from artcluster.lineage.overlap import overlap
from artcluster.stages.assignments import load_model, read_assignments
from artcluster.stages.job import Job
from artcluster.stages.known import contents_of
from artcluster.stages.methods import Fitted, TrainingSet, fit
from artcluster.stages.methods.vectors import vectors_for
from artcluster.stages.methods.warm import WARM
from artcluster.stages.series import RunRecord, next_cluster
from artcluster.store.member_ids import split_members


def refit(job: Job, data: TrainingSet, parent: RunRecord, *, warm: bool) -> Fitted:
    """Fit a model whose clusters have the numbers of the parent's that they continue.

    Clusters are matched by the members that parent and model share among the vectors of the fit:
    all of them, or the sample that is recorded with the run.

    Args:
        job: What to work with.
        data: The vectors of today.
        parent: The run to follow.
        warm: Start from the parent's model, if these are the vectors it takes; its method is one
            of `WARM`.

    Raises:
        UsageError: There are fewer distinct contents than clusters asked for.
    """
    last = load_model(job.store, parent.model_id) if warm else None
    if last is not None and last.embedder_id == data.embedder_id:
        fitted = WARM[job.config.cluster.method](job, data, last)
    else:
        fitted = fit(job, data)
    with job.timings.stage("match"):
        numbers_K = _numbers(job, data, parent, fitted)
    return replace(fitted, model=replace(fitted.model, numbers_K=numbers_K))


def _numbers(job: Job, data: TrainingSet, parent: RunRecord, fitted: Fitted) -> np.ndarray:
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
