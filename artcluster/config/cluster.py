"""What can be set about clustering."""

from typing import Annotated, Literal

from pydantic import Field

from artcluster.config.base import Settings
from artcluster.config.training import PretrainSettings


class DecSettings(Settings):
    """DEC's refinement (DELIUS: t = 140, δ = 0.001)."""

    hidden: tuple[int, ...] = (500, 500, 2000)
    """Widths of the encoder's hidden layers; the decoder mirrors them."""
    code_dim: Annotated[int, Field(ge=1)] = 10
    initialisation: Literal["glorot", "normal-0.01"] = "glorot"
    """`normal-0.01` is the paper's N(0, 0.01); it collapses on small archives."""
    refresh_every: Annotated[int, Field(ge=1)] = 140
    """Iterations between two refreshes of the target distribution, t."""
    tolerance: Annotated[float, Field(ge=0)] = 1e-3
    """Stop once fewer than this share of labels changed between refreshes, δ."""
    max_iterations: Annotated[int, Field(ge=1)] = 20_000
    batch_size: Annotated[int, Field(ge=1)] = 256
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    guard_margin: Annotated[float, Field(ge=0)] = 0.05
    """Refinement is discarded where its silhouette in the embedder's space falls this far below
    that of the seeds."""


class DcecSettings(Settings):
    """Refinement on pixels, of DCEC-Paint and its relatives (t = 140, δ = 0.001, batches of 128).

    The weights of the two losses are the method's; the optimiser is AdaMax at Keras's 0.001, for
    `genre-dec` Adam.
    """

    balance: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """λ of `dcec-paint`, λ Lr + (1 − λ) Lc, and of `dcec`, (1 − λ) Lr + λ Lc."""
    refresh_every: Annotated[int, Field(ge=1)] = 140
    """Iterations between two refreshes of the target distribution, t."""
    tolerance: Annotated[float, Field(ge=0)] = 1e-3
    """Stop once fewer than this share of labels changed between refreshes, δ."""
    max_iterations: Annotated[int, Field(ge=1)] = 20_000
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    guard_margin: Annotated[float, Field(ge=0)] = 0.05
    """Refinement is discarded where its silhouette in the space of the network's codes before
    refinement falls this far below that of the seeds."""


class ClusterSettings(Settings):
    """The method, the number of clusters, and the means."""

    method: Literal[
        "delius",
        "ae-kmeans",
        "kmeans",
        "pca-kmeans",
        "cae-kmeans",
        "cae-dec",
        "dcec-paint",
        "dcec",
        "dcec-noweights",
        "genre-dec",
    ] = "delius"
    k: Annotated[int, Field(ge=2)] = 8
    seed: Annotated[int, Field(ge=0)] = 0
    restarts: Annotated[int, Field(ge=1)] = 20
    """k-means restarts; the best inertia is kept."""
    kmeans_engine: Literal["torch", "faiss"] = "torch"
    """Which library iterates: our own on torch (faster at the same inertia), or FAISS."""
    scaling: Literal["none", "unit"] = "none"
    """`unit` scales every embedding to length one first."""
    max_training_vectors: Annotated[int, Field(ge=100)] = 1_000_000
    """Models are fitted on at most so many distinct contents, a sample recorded with the run."""
    max_training_bytes: Annotated[int, Field(ge=1 << 20)] = 8 << 30
    """Memory that the vectors a model is fitted on may take."""
    max_silhouette_vectors: Annotated[int, Field(ge=100)] = 20_000
    """Silhouettes are exact up to here and computed on a sample past it."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Ray Train workers; by default in-process for small archives, else one a GPU or CPU."""
    use_gpu: bool | None = None
    """Train on GPUs; by default where there are any."""
    pretrain: PretrainSettings = PretrainSettings()
    dec: DecSettings = DecSettings()
    dcec: DcecSettings = DcecSettings()
    pca_components: Annotated[int, Field(ge=1)] = 2
    """Principal components of `pca-kmeans`."""
    colours: Literal["rgb", "grey"] = "rgb"
    """What `genre-dec` sees of the pictures."""
    labels: tuple[str, ...] = ()
    """Metadata columns that metrics compare the clusters with. Training never sees them."""
