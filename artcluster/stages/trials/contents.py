"""The contents that trials share: an archive's, a subset by metadata, a sample of many."""

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.archive.database import quoted
from artcluster.clustering.kmeans import sample_indices
from artcluster.config import ClusterSettings
from artcluster.embedders import finds_faces
from artcluster.errors import UsageError
from artcluster.search.sql import open_for_queries, query
from artcluster.stages.hints import with_stored_hints
from artcluster.stages.job import Job
from artcluster.stages.known import members_of
from artcluster.stages.methods.training_set import TrainingSet
from artcluster.store.member_ids import split_members
from artcluster.store.vectors import gather


@dataclass(frozen=True)
class Shared:
    """What every trial is measured on.

    Attributes:
        data: The contents and their vectors in the common space.
        of: Distinct contents that there were to choose from.
    """

    data: TrainingSet
    of: int


def shared_contents(job: Job, archive_id: str, embedder_id: str, where: str | None) -> Shared:
    """Gather the contents that trials share; for an embedder of faces, their faces.

    Args:
        job: What to work with; `trials.max_vectors` bounds the sample.
        archive_id: The archive.
        embedder_id: Whose vectors are the common space.
        where: A condition in SQL on columns of the view `latest`; None for all images.

    Raises:
        UsageError: The condition is no condition, or nothing meets it.
    """
    settings = job.config.trials
    contents = members_of(job.store, archive_id, embedder_id, job.config)
    if where is not None:
        pictures, _ = split_members(contents)
        contents = contents.filter(pc.is_in(pictures, value_set=_where(job, archive_id, where)))
    rows = sample_indices(len(contents), settings.max_vectors, settings.sample_seed)
    chosen = contents if len(rows) == len(contents) else contents.take(pa.array(rows))
    content_ids, x_ND = gather(
        job.store, embedder_id, chosen, limit_bytes=job.config.cluster.max_training_bytes
    )
    if not len(content_ids):
        members = "face" if finds_faces(embedder_id) else "image"
        raise UsageError(
            f"no {members} of {archive_id} has a vector of {embedder_id}"
            + (f" and meets --where {where!r}" if where else "")
        )
    data = TrainingSet(embedder_id, content_ids, x_ND, len(contents), archive_id)
    return Shared(data, len(contents))


def with_hints(job: Job, archive_id: str, method: str) -> Job:
    """Return the job whose config names the hints of `cluster.hints` as they lie in the store.

    Their images have no labels then, whatever method is measured.

    Raises:
        UsageError: The file cannot be read or names an image that is not in the archive.
    """
    cluster = job.config.cluster

    def named(settings: ClusterSettings) -> Job:
        return replace(job, config=job.config.model_copy(update={"cluster": settings}))

    stored = with_stored_hints(named(cluster.model_copy(update={"method": method})), archive_id)
    return named(cluster.model_copy(update={"hints": stored.config.cluster.hints}))


def _where(job: Job, archive_id: str, where: str) -> pa.Array:
    with open_for_queries(job.store, memory_bytes=job.config.store.memory_bytes) as tables:
        found = query(
            tables,
            # A line of its own, so that a comment at its end cannot swallow the bracket.
            f"select distinct content_id from latest where archive_id = {quoted(archive_id)} "
            f"and (\n{where}\n) order by content_id",
        ).read_all()
    if not found.num_rows:
        raise UsageError(f"--where: no image of {archive_id} meets {where!r}")
    return found["content_id"].combine_chunks().cast(pa.string())
