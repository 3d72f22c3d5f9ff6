"""From pictures to clusters in one call: checked first, then embedded, clustered and judged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from artcluster.config import Config, given_over
from artcluster.errors import ArtclusterError, TooFewError, UsageError
from artcluster.location import Location
from artcluster.store import Store
from artcluster.workflows.clustering.assign import LoadedModel, artefact_of_store, assign_by
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.clustering.methods import check_enough
from artcluster.workflows.clustering.methods.own_network import with_own_network
from artcluster.workflows.clustering.package import Package, is_package
from artcluster.workflows.clustering.supervision import check_supervision
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.embedding.plan import plan_archive
from artcluster.workflows.embedding.settings import inherited_settings
from artcluster.workflows.embedding.shares import check_can_be_clustered, check_reject_share
from artcluster.workflows.job import Job
from artcluster.workflows.results import (
    ArchiveCounts,
    AssignedImage,
    ClusterSummary,
    EmbedSummary,
    NoClusters,
)


@dataclass(frozen=True)
class RunSummary:
    """What embedding and clustering an archive came to.

    Attributes:
        clustering: None where too many files could not be read, or no image could be used.
    """

    embedding: EmbedSummary
    clustering: ClusterSummary | NoClusters | None

    def check(self, config: Config) -> None:
        """Compare rejected and unread files with the shares that are allowed.

        Raises:
            UnreadShareError: More could not be read.
            RejectShareError: More were rejected.
            ArtclusterError: No image could be used.
        """
        if self.clustering is None:
            check_can_be_clustered(self.embedding, config)
        check_reject_share(self.embedding, config.images.max_reject_share)


def run_archive(job: Job, images: str, *, force: bool = False) -> RunSummary:
    """Embed the pictures of an archive and cluster them; what is done already is skipped.

    Args:
        images: Where the archive is: a folder, bucket, glob, container, or list of addresses.
        force: Create a new run even if an identical one exists.

    Raises:
        UsageError: A path, column, label or setting is wrong, or there are fewer files than
            clusters. Nothing was embedded then.
    """
    job = _checked(job)
    embedded = embed_archive(job, images, check=partial(check_enough, job.config.cluster))
    try:
        check_can_be_clustered(embedded, job.config)
    except ArtclusterError:
        return RunSummary(embedded, None)
    clustered = clusters_or_none(
        lambda: cluster_archive(job, embedded.archive_id, embedded.embedder_id, force=force)
    )
    return RunSummary(embedded, clustered)


def plan_run(job: Job, images: str) -> ArchiveCounts:
    """Check and list an archive, and estimate the time to embed it; nothing is written."""
    return plan_archive(_checked(job), images)


def _checked(job: Job) -> Job:
    """Refuse what cannot work, and return the job with the network that its method has."""
    config = with_own_network(job.config)
    check_supervision(config.cluster, config.embed.backbone)
    given, network = job.config.embed, config.embed.backbone
    if "backbone" in given.model_fields_set and network != given.backbone:
        job.progress.say(
            f"{config.cluster.method} has a network of its own, {network}: the backbone "
            f"{given.backbone} is not used."
        )
    return replace(job, config=config)


def clusters_or_none(cluster: Callable[[], ClusterSummary]) -> ClusterSummary | NoClusters:
    """Call a function that clusters; return the reason where there are too few faces to group."""
    try:
        return cluster()
    except TooFewError as few:
        return NoClusters(str(few))


def with_inherited_settings(job: Job, images: str, run_id: str | None = None) -> Job:
    """Return the job under the settings of the archive's last run, where none are given now.

    Args:
        run_id: Run to take them of (default: the last).
    """
    before = inherited_settings(job.store, images, job.config, run_id)
    return replace(job, config=given_over(before, job.config))


def open_model(
    place: str, config: Config, model_id: str | None = None, archive_id: str | None = None
) -> LoadedModel:
    """Open a model of a store (default: the last run's of an archive), or the one in a package.

    Raises:
        UsageError: There is no such model, or there are several archives to choose from.
    """
    location = Location.parse(place, config.store.options)
    if not is_package(location):
        return artefact_of_store(Store.open(location), model_id, archive_id)
    artefact = Package.open(location).artefact
    if model_id not in (None, artefact.model_id):
        raise UsageError(f"--model: the package {location} has the model {artefact.model_id!r}")
    return artefact


def assign_images(
    place: str,
    images: Sequence[str],
    config: Config,
    *,
    model_id: str | None = None,
    archive_id: str | None = None,
    threads: int = 1,
) -> Iterator[AssignedImage]:
    """Yield the cluster of each picture by a model of a store or package; nothing is written."""
    return assign_by(open_model(place, config, model_id, archive_id), images, config, threads)
