"""Methods that refine a convolutional encoder on pixels: DCEC-Paint and its relatives.

| method | loss | network, optimiser |
|---|---|---|
| `dcec-paint` | λ Lr + (1 − λ) Lc, λ = 0.1 | `cae`, AdaMax |
| `dcec` | (1 − λ) Lr + λ Lc, DCEC's own weights | `cae`, AdaMax |
| `dcec-noweights` | Lr + Lc | `cae`, AdaMax |
| `cae-dec` | Lc alone, the decoder dropped | `cae`, AdaMax |
| `genre-dec` | Lr + Lc | `genre-v2`, Adam |

Lr is the mean squared error over pixels, Lc the KL divergence summed over clusters and averaged
over samples, both Keras's. The genre paper states neither weights nor optimiser: both losses count
alike there, and the optimiser is Adam at 0.001, which its peers use.

Source: Castellano and Vessio 2021 (DCEC-Paint), §3, §4.2 and §4.3; Guo et al. 2017 (DCEC);
Barandooru Janavejirao et al., "Image clustering based on genres using autoencoder", §IV.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import torch

from artcluster.clustering.model.fit import fit_model
from artcluster.clustering.model.model import ClusterModel
from artcluster.clustering.model.space import ModelSpace
from artcluster.config import ClusterSettings, from_settings
from artcluster.embedders.trained_networks import AUTOENCODERS
from artcluster.errors import UsageError
from artcluster.store.vectors import gather
from artcluster.training.dec import train_dcec
from artcluster.training.refinement import DecConfig, DecResult
from artcluster.training.worker import OptimizerName, Worker
from artcluster.workflows.archives import stored_scan
from artcluster.workflows.clustering.fingerprints import model_params
from artcluster.workflows.clustering.methods.base import Fitted, Method, RefinedVectors, TrainingSet
from artcluster.workflows.clustering.methods.dec import guarded, how_it_ended, refinement_facts
from artcluster.workflows.clustering.methods.kmeans import kmeans_facts, seeds
from artcluster.workflows.clustering.methods.own_network import with_own_network
from artcluster.workflows.embedding.embedder import (
    ReadyEmbedder,
    prepare_embedder,
    refined_embedder,
)
from artcluster.workflows.embedding.encode_pixels import encode_pixels
from artcluster.workflows.embedding.pixels import decoded, loaders
from artcluster.workflows.embedding.trained_network import input_px, max_images, trained_network
from artcluster.workflows.job import WORTH_A_CLUSTER_PICTURES, Job, fingerprint, training_backend

Weights = Callable[[float], tuple[float, float]]
"""From λ to the weights of Lc and Lr."""


def fit_dcec(job: Job, data: TrainingSet, *, weights: Weights, optimizer: OptimizerName) -> Fitted:
    """Refine the method's network and the clusters of its codes, and keep what is better.

    It is trained on those contents of the training set whose pixels are kept: all of a small
    archive, the stated sample of a large one. The refined encoder becomes an embedder with vectors
    of the whole archive, and the model is the centroids among them. Both clusterings are judged in
    the space of the network's codes before refinement.

    Raises:
        UsageError: There are no pictures to these vectors, or fewer with pixels than clusters.
    """
    if not data.archive_id:
        raise UsageError(
            f"the method {job.config.cluster.method} is trained on pictures, and there are only "
            "vectors here: use a method such as delius or kmeans"
        )
    job = replace(job, config=with_own_network(job.config))
    settings, side = job.config.cluster, input_px(job.config.embed)
    archive, scan = stored_scan(job, data.archive_id)
    state = trained_network(job, archive, scan)
    pretrained = prepare_embedder(job.store, job.config, state)
    shards = decoded(job, archive, scan, side, max_images(job.config.embed))
    found = loaders(job.store, shards, frozenset(data.content_ids.to_pylist()))
    loads = [load for load, _ in found]
    start = _training_set(job, data, pretrained, [c for _, contents in found for c in contents])
    with job.timings.stage("k-means"):
        seeded = seeds(start.x_ND, settings)
    place = training_backend(job, len(start.x_ND), WORTH_A_CLUSTER_PICTURES)
    clustering, reconstruction = weights(settings.dcec.balance)
    config = from_settings(
        DecConfig,
        settings.dcec,
        optimizer=optimizer,
        clustering_weight=clustering,
        reconstruction_weight=reconstruction,
        seed=settings.seed,
    )
    facts = [model_params(settings), pretrained.embedder_id]
    with job.timings.stage("refine"):
        refined = place.train_shards(
            partial(
                _refine,
                network=pretrained.contract.network,
                side=side,
                autoencoder=state,
                centroids_KD=seeded.centroids_KD,
                config=config,
            ),
            loads,
            f"{settings.method}-{fingerprint([*facts, start.digest])}",
        )
    embedder = refined_embedder(job, settings.method, pretrained, refined.encoder)
    codes_ND = encode_pixels(job, place, embedder, loads, len(start.x_ND))
    contents = np.array([content for _, some in found for content in some])
    order = np.argsort(contents)
    codes_ND = codes_ND[order]
    training = {"pretrained": pretrained.embedder_id, "pictures": len(contents)}
    training |= kmeans_facts(seeded)
    return guarded(
        job,
        start.x_ND,
        before=Fitted(_model(job, pretrained, start.x_ND, seeded.centroids_KD), training),
        after=Fitted(
            _model(job, embedder, codes_ND, refined.centroids_KD),
            training | refinement_facts(refined),
            how_it_ended(refined),
            RefinedVectors(embedder, pa.array(contents[order], pa.string()), codes_ND),
        ),
        after_ND=codes_ND,
        margin=settings.dcec.guard_margin,
    )


def _training_set(
    job: Job, data: TrainingSet, pretrained: ReadyEmbedder, contents: list[str]
) -> TrainingSet:
    """Return the codes, before refinement, of the contents whose pixels are kept."""
    settings = job.config.cluster
    content_ids, x_ND = gather(
        job.store, pretrained.embedder_id, contents, limit_bytes=settings.max_training_bytes
    )
    if len(content_ids) < settings.k:
        raise UsageError(
            f"cluster.k is {settings.k}, but there are pixels of only {len(content_ids)} distinct "
            "images to train on: ask for fewer clusters (--k)"
        )
    assert len(content_ids) == len(contents)
    return replace(data, embedder_id=pretrained.embedder_id, content_ids=content_ids, x_ND=x_ND)


def _refine(
    worker: Worker,
    *,
    network: str,
    side: int,
    autoencoder: Mapping[str, torch.Tensor],
    centroids_KD: np.ndarray,
    config: DecConfig,
) -> DecResult:
    return train_dcec(
        worker,
        AUTOENCODERS[network](input_px=side, seed=config.seed),
        centroids_KD,
        config,
        row_shape=(side, side, 3),
        autoencoder=autoencoder,
    )


def _model(
    job: Job, embedder: ReadyEmbedder, x_ND: np.ndarray, centroids_KD: np.ndarray
) -> ClusterModel:
    return fit_model(
        x_ND,
        method=job.config.cluster.method,
        embedder_id=embedder.embedder_id,
        space=ModelSpace(x_ND.shape[1]),
        centroids_KD=centroids_KD,
        seed=job.config.cluster.seed,
        threads=torch.get_num_threads(),
    )


def _method(
    name: str,
    summary: str,
    weights: Weights,
    *,
    optimizer: OptimizerName = "adamax",
    network: Callable[[ClusterSettings], str] = lambda _: "cae",
    settings: tuple[str, ...] = (),
) -> Method:
    return Method(
        name=name,
        summary=summary,
        fit=partial(fit_dcec, weights=weights, optimizer=optimizer),
        settings=("restarts", "kmeans_engine", "max_silhouette_vectors", "dcec", *settings),
        network=network,
    )


METHODS = (
    _method(
        "dcec-paint",
        "a convolutional autoencoder refined with its centroids, which weigh more (DCEC-Paint)",
        lambda balance: (1 - balance, balance),
    ),
    _method(
        "dcec",
        "the same, the reconstruction weighing more (DCEC)",
        lambda balance: (balance, 1 - balance),
    ),
    _method("dcec-noweights", "the same, both weighing alike", lambda _: (1.0, 1.0)),
    _method("cae-dec", "the same without the decoder (DEC)", lambda _: (1.0, 0.0)),
    _method(
        "genre-dec",
        "the genre paper's autoencoder refined with its centroids",
        lambda _: (1.0, 1.0),
        optimizer="adam",
        network=lambda settings: "genre-v2" if settings.colours == "rgb" else "genre-v2-grey",
        settings=("colours",),
    ),
)
