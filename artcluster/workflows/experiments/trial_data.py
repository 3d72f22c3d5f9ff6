"""The vectors that a method is given: found in the store, or made now."""

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from artcluster.archive.database import quoted
from artcluster.clustering.kmeans.kmeans import sample_indices
from artcluster.config import ClusterSettings, Config
from artcluster.embedders import finds_faces, is_trained_here
from artcluster.errors import UsageError
from artcluster.projection import check_layout
from artcluster.schema import EMBEDDERS
from artcluster.store.members import split_members
from artcluster.store.sql import open_for_queries, query
from artcluster.store.vectors import gather
from artcluster.workflows.archives import members_of, stored_scan
from artcluster.workflows.clustering.methods import find_method, network_of
from artcluster.workflows.clustering.methods.base import TrainingSet
from artcluster.workflows.clustering.methods.own_network import own_embedder, with_own_network
from artcluster.workflows.clustering.supervision import check_supervision, with_stored_hints
from artcluster.workflows.embedding.embed import embed_known
from artcluster.workflows.embedding.embedder import prepare_embedder, read_embedder
from artcluster.workflows.embedding.trained_network import trained_network
from artcluster.workflows.experiments.method_spec import MethodSpec
from artcluster.workflows.job import Job


@dataclass(frozen=True)
class SharedItems:
    """What every trial is measured on.

    Attributes:
        data: The contents and their vectors in the common space.
        of: Distinct contents that there were to choose from.
    """

    data: TrainingSet
    of: int


def shared_items(job: Job, archive_id: str, embedder_id: str, where: str | None) -> SharedItems:
    """Gather the contents that trials share; for an embedder of faces, their faces.

    Args:
        job: What to work with; `trials.max_vectors` bounds the sample.
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
    return SharedItems(data, len(contents))


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
        rows = query(
            tables,
            # A line of its own, so that a comment at its end cannot swallow the bracket.
            f"select distinct content_id from latest where archive_id = {quoted(archive_id)} "
            f"and (\n{where}\n) order by content_id",
        ).read_all()
    if not rows.num_rows:
        raise UsageError(f"--where: no image of {archive_id} meets {where!r}")
    return rows["content_id"].combine_chunks().cast(pa.string())


def check_method(spec: MethodSpec, config: Config, *, faces: bool) -> None:
    """Refuse before any work what a trial cannot do.

    Args:
        faces: Whether members may be faces: nothing is compared with whole images.

    Raises:
        UsageError: The method has no use for a setting, or for the vectors asked for.
    """
    check_layout(config.map.method)
    network = network_of(config.cluster)
    if config.cluster.count_duplicates:
        raise UsageError(
            f"{spec.name}: trials are fitted and measured on distinct images, each once. Leave "
            "cluster.count_duplicates out"
        )
    if network is not None and spec.backbone is not None:
        raise UsageError(
            f"{spec.name}: {spec.method} has a network of its own and takes no vectors of "
            f"{spec.backbone}"
        )
    if faces and find_method(spec.method).finds_k:
        raise UsageError(
            f"{spec.method} finds the number of clusters itself, and a sweep tries numbers of "
            f"clusters: use `artcluster cluster --method {spec.method}`"
        )
    embedder = network or spec.backbone or ""
    if finds_faces(embedder) and not faces:
        raise UsageError(
            f"{spec.name}: whole images are compared, and this takes faces. For faces there is "
            "`artcluster sweep --method faces-kmeans`"
        )
    check_supervision(config.cluster, embedder)


def embedder_of(job: Job, archive_id: str, spec: MethodSpec, config: Config, common: str) -> str:
    """Return the embedder whose vectors a method takes, all of them made.

    Args:
        spec: The method; one with a network of its own has it trained now, if it never was.
        common: The embedder of the common space, which a method is given where none is asked for.

    Raises:
        UsageError: There is no such embedder.
    """
    if network_of(config.cluster) is not None:
        own = replace(job, config=with_own_network(config))
        return own_embedder(own, archive_id).embedder_id
    if spec.backbone is None:
        return common
    return _named(job, archive_id, spec.backbone)


def _named(job: Job, archive_id: str, name: str) -> str:
    known = job.store.table(EMBEDDERS).read(["embedder_id"], pc.field("name") == name)
    ids = sorted(set(known["embedder_id"].to_pylist()))
    if name in job.store.table("embeddings").distinct("embedder_id"):
        ids = [name]
    if len(ids) == 1:
        ready = read_embedder(job.store, ids[0])
    else:
        plain = {"backbone": name, "weights": "auto", "weights_sha256": None, "input_px": None}
        config = job.config.model_copy(update={"embed": job.config.embed.model_copy(update=plain)})
        own_job = replace(job, config=config)
        trained = None
        if is_trained_here(name):
            trained = trained_network(own_job, *stored_scan(own_job, archive_id))
        ready = prepare_embedder(job.store, config, trained)
    embed_known(job, archive_id, ready)
    return ready.embedder_id


def vectors_of(job: Job, shared: TrainingSet, embedder_id: str) -> TrainingSet:
    """Return the shared contents with an embedder's vectors, those that have one.

    Raises:
        UsageError: None has, or they take more memory than `cluster.max_training_bytes`.
    """
    if embedder_id == shared.embedder_id:
        return shared
    content_ids, x_ND = gather(
        job.store,
        embedder_id,
        shared.content_ids,
        limit_bytes=job.config.cluster.max_training_bytes,
    )
    if not len(content_ids):
        raise UsageError(f"none of the images has a vector of {embedder_id}")
    return replace(shared, embedder_id=embedder_id, content_ids=content_ids, x_ND=x_ND)
