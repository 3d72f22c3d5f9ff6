"""Methods with a network of their own: which it is, and its codes as embeddings.

The network is an embedder like any other. A method that only clusters its codes is k-means on that
embedder's vectors; one that refines it makes another embedder of it.
"""

from artcluster.config import Config
from artcluster.embedders import FACES, is_trained_here
from artcluster.errors import UsageError
from artcluster.workflows.archives import stored_scan
from artcluster.workflows.clustering.methods import network_of
from artcluster.workflows.clustering.methods.base import Fitted
from artcluster.workflows.embedding.embed import embed_known
from artcluster.workflows.embedding.embedder import ReadyEmbedder, prepare_embedder
from artcluster.workflows.embedding.encode_pixels import encode_pixels, without_vector, write_codes
from artcluster.workflows.embedding.pixels import loaders, pixel_folder, stored_shards
from artcluster.workflows.embedding.trained_network import trained_network
from artcluster.workflows.job import WORTH_A_CLUSTER_PICTURES, Job, training_backend


def with_own_network(config: Config) -> Config:
    """Return the config whose embedder is the network that the method has, if any.

    The seed of the method is that of its network, too.

    Raises:
        UsageError: Duplicates are to count, and the network learns from distinct pictures.
    """
    network = network_of(config.cluster)
    if network is None:
        return config
    if config.cluster.count_duplicates and network != FACES:
        raise UsageError(
            f"cluster.count_duplicates: {config.cluster.method} learns from distinct pictures; "
            "choose a method that takes any embedder's vectors, or leave this out"
        )
    own = {
        "backbone": network,
        "weights": "auto",
        "weights_sha256": None,
        "seed": config.cluster.seed,
    }
    return config.model_copy(update={"embed": config.embed.model_copy(update=own)})


def own_embedder(job: Job, archive_id: str) -> ReadyEmbedder:
    """Return the method's network, with vectors of all that the archive holds.

    Both are made now or were by an earlier job. Pictures are found by the last listing.

    Args:
        job: Its config is that of `with_own_network`.

    Raises:
        UsageError: The store does not know where the archive lies, or it holds no picture.
        ArchiveError: The archive cannot be read.
    """
    if not is_trained_here(job.config.embed.backbone):
        with job.timings.stage("prepare"):
            embedder = prepare_embedder(job.store, job.config)
        embed_known(job, archive_id, embedder)
        return embedder
    archive, scan = stored_scan(job, archive_id)
    trained = trained_network(job, archive, scan)
    with job.timings.stage("prepare"):
        embedder = prepare_embedder(job.store, job.config, trained)
    _encode_kept(job, archive_id, embedder)
    embed_known(job, archive_id, embedder)
    return embedder


def keep_vectors(job: Job, archive_id: str, fitted: Fitted) -> None:
    """Commit the vectors that a fit made, and embed the rest of the archive alike.

    Raises:
        LeaseHeldError: Another job writes vectors of this embedder.
    """
    if fitted.refined is not None:
        refined = fitted.refined
        write_codes(job, refined.embedder, refined.content_ids.to_pylist(), refined.x_ND)
        embed_known(job, archive_id, refined.embedder)


def _encode_kept(job: Job, archive_id: str, embedder: ReadyEmbedder) -> None:
    """Embed the pictures that are decoded in the store, so that they are not decoded again."""
    shards = stored_shards(job.store, pixel_folder(job, archive_id, embedder.contract.input_px[0]))
    contents = [content for shard in shards for content in shard.content_ids]
    found = loaders(job.store, shards, without_vector(job.store, embedder.embedder_id, contents))
    if found:
        place = training_backend(job, len(contents), WORTH_A_CLUSTER_PICTURES)
        new = [content for _, some in found for content in some]
        codes_ND = encode_pixels(job, place, embedder, [load for load, _ in found], len(new))
        write_codes(job, embedder, new, codes_ND)
