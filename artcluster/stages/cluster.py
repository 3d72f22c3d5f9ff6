"""The clustering job: an archive's vectors become a model, assignments, metrics and a run."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from artcluster.errors import TooFewError
from artcluster.stages.digest import digest
from artcluster.stages.hints import check_hints, with_stored_hints
from artcluster.stages.job import Job
from artcluster.stages.known import choose_archive, choose_embedder, known_archive
from artcluster.stages.metadata import check_labels
from artcluster.stages.methods.own_network import network_of, own_embedder, with_own_network
from artcluster.stages.new_run import NewRun, make_run
from artcluster.stages.runs import finished_run
from artcluster.stages.series import RUN_TABLES, find_run, read_runs
from artcluster.stages.summary import ClusterSummary, NoClusters
from artcluster.store.metadata import metadata_version


def clusters_or_none(cluster: Callable[[], ClusterSummary]) -> ClusterSummary | NoClusters:
    """Call what clusters; where there is too little to group, say so instead of failing."""
    try:
        return cluster()
    except TooFewError as few:
        return NoClusters(str(few))


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
        job: What to work with.
        archive_id: Which archive; None for the only one.
        embedder: Whose vectors, by name or id; None for the only one. Methods with a network of
            their own make their vectors themselves.
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
        embedder_id = choose_embedder(job.store, embedder)
        check_hints(config.cluster, embedder_id)
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
    run = {
        "archive_id": archive_id,
        "scan_id": known.scan_id,
        "embedder_id": embedder_id,
        "metadata_version": metadata_version(job.store, archive_id),
        "parent": None if follows is None else follows.run_id,
        "config": job.config.model_dump(mode="json", include={"cluster"}),
    }
    run_id = digest(run | ({"at": datetime.now(UTC).isoformat()} if force else {}))
    done = finished_run(job.store, run_id)
    if done is not None:
        return done
    if follows is None:
        make_run(job, NewRun(run_id, run, known.images))
    else:
        with job.lease(f"runs={archive_id}", *RUN_TABLES) as lease:
            make_run(job, NewRun(run_id, run, known.images, parent=follows, holds=lease))
    made = finished_run(job.store, run_id)
    assert made is not None
    return replace(made, already=False, seconds=dict(job.timings.seconds))
