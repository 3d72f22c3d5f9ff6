"""The vectors that an entry's method is given: found in the store, or made now."""

from dataclasses import replace

import pyarrow.compute as pc

from artcluster.config import Config
from artcluster.embedders import finds_faces, is_trained_here
from artcluster.errors import UsageError
from artcluster.schema import EMBEDDERS
from artcluster.stages.embed import embed_known
from artcluster.stages.embedder import prepare_embedder, read_embedder
from artcluster.stages.hints import check_hints
from artcluster.stages.job import Job
from artcluster.stages.methods.own_network import network_of, own_embedder, with_own_network
from artcluster.stages.methods.training_set import TrainingSet
from artcluster.stages.stored_scan import stored_scan
from artcluster.stages.trained_network import trained_network
from artcluster.stages.trials.entry import Entry
from artcluster.store.vectors import gather


def check_entry(entry: Entry, config: Config, *, faces: bool) -> None:
    """Refuse before any work what a trial cannot do.

    Args:
        entry: The method.
        config: Of a fit of it.
        faces: Whether members may be faces: nothing is compared with whole images.

    Raises:
        UsageError: The method has no use for a setting, or for the vectors asked for.
    """
    network = network_of(config.cluster)
    if config.cluster.count_duplicates:
        raise UsageError(
            f"{entry.name}: trials are fitted and measured on distinct images, each once. Leave "
            "cluster.count_duplicates out"
        )
    if network is not None and entry.backbone is not None:
        raise UsageError(
            f"{entry.name}: {entry.method} has a network of its own and takes no vectors of "
            f"{entry.backbone}"
        )
    if config.cluster.method == "faces-dbscan":
        raise UsageError(
            "faces-dbscan finds the number of groups itself, and what is tried are numbers of "
            "clusters: use `artcluster cluster --method faces-dbscan`"
        )
    embedder = network or entry.backbone or ""
    if finds_faces(embedder) and not faces:
        raise UsageError(
            f"{entry.name}: whole images are compared, and this takes faces. For faces there is "
            "`artcluster sweep --method faces-kmeans`"
        )
    check_hints(config.cluster, embedder)


def embedder_of(job: Job, archive_id: str, entry: Entry, config: Config, common: str) -> str:
    """Return the embedder whose vectors an entry's method takes, all of them made.

    Args:
        job: What to work with.
        archive_id: The archive.
        entry: The method; one with a network of its own has it trained now, if it never was.
        config: Of the fit.
        common: The embedder of the common space, which a method is given where none is asked for.

    Raises:
        UsageError: There is no such embedder.
    """
    if network_of(config.cluster) is not None:
        own = replace(job, config=with_own_network(config))
        return own_embedder(own, archive_id).embedder_id
    if entry.backbone is None:
        return common
    return _named(job, archive_id, entry.backbone)


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
        mine = replace(job, config=config)
        trained = None
        if is_trained_here(name):
            trained = trained_network(mine, *stored_scan(mine, archive_id))
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
