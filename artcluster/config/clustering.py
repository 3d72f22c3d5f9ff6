"""What can be set about clustering."""

from typing import Annotated, Literal

from pydantic import Field

from artcluster.config.base import Settings
from artcluster.config.embedding import DbscanSettings, PretrainSettings


class TrialSettings(Settings):
    """How much a sweep or a comparison looks at."""

    max_vectors: Annotated[int, Field(ge=100)] = 100_000
    """Trials fit and measure at most so many distinct contents, a sample that all of them share."""
    sample_seed: Annotated[int, Field(ge=0)] = 0
    """Seed of that sample, of resamples, and of what is drawn in maps."""
    resamples: Annotated[int, Field(ge=0)] = 3
    """A sweep fits so many times more for each k, on a part of the contents; 0 leaves stability
    out."""
    resample_share: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Share of the contents that each of them is fitted on."""
    map_points: Annotated[int, Field(ge=10)] = 1_000
    """A comparison's maps show at most so many images, the same in all of them."""


class UpdateSettings(Settings):
    """When to refit. Drift is measured against the run that the model was fitted for."""

    refit: Literal["when-drifted", "always", "never"] = "when-drifted"
    """`when-drifted`: past any limit below that is set; `never`: not even on schedule."""
    refit_every_days: Annotated[float, Field(gt=0)] | None = None
    """Refit once the model is so many days old, whatever its drift."""
    refit_every_runs: Annotated[int, Field(ge=1)] | None = None
    """Refit once so many runs have applied the model since it was fitted."""
    max_low_confidence_rise: Annotated[float, Field(ge=0, le=1)] | None = 0.10
    """Refit when the share of low confidence has risen by more; it is 0.05 at the fit."""
    max_outlier_rise: Annotated[float, Field(ge=0, le=1)] | None = 0.05
    """Refit when the share of outliers has risen by more; it is 0.01 at the fit."""
    max_size_shift: Annotated[float, Field(ge=0, le=1)] | None = 0.15
    """Refit when the clusters' shares of the archive have shifted by more (total variation)."""
    max_distance_ratio: Annotated[float, Field(ge=1)] | None = 1.15
    """Refit when the mean distance to the centroids is more than so many times what it was."""
    max_growth: Annotated[float, Field(gt=0)] | None = 0.5
    """Refit when the archive has grown by more than this share since the model was fitted."""
    start: Literal["warm", "fresh"] = "warm"
    """`warm`: from the last model's encoder and centroids; `fresh`: from nothing."""
    match_jaccard: Annotated[float, Field(gt=0, le=1)] = 0.25
    """A new cluster may take on an old one's number if they share at least this much of the
    members of both."""
    measure_vectors: Annotated[int, Field(ge=100)] = 20_000
    """A run that keeps its model measures distances on at most so many contents, a sample."""


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


class TemiSettings(Settings):
    """`temi`: heads that learn which neighbours belong together."""

    heads: Annotated[int, Field(ge=1)] = 16
    """Heads that learn side by side; that of the lowest loss is kept. The paper has 50."""
    neighbours: Annotated[int, Field(ge=1)] = 15
    """Nearest neighbours to learn from. The paper has 50, of a million pictures."""
    beta: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Below 1, clusters of other sizes are more welcome."""
    steps: Annotated[int, Field(ge=1)] = 2000
    batch_size: Annotated[int, Field(ge=1)] = 256
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4


class HdbscanSettings(Settings):
    """`hdbscan`: clusters denser than what is around them; k is not asked for."""

    min_cluster_size: Annotated[int, Field(ge=2)] = 10
    """Fewer images than this are no cluster."""
    min_samples: Annotated[int, Field(ge=1)] = 3
    """How near an image's neighbours are is told by its so manieth; more gives more noise."""
    selection: Literal["eom", "leaf"] = "eom"
    """`eom`: the clusters that last longest as density grows; `leaf`: the smallest ones."""


class ClusterSettings(Settings):
    """The method, the number of clusters, and the means."""

    method: str = "delius"
    """One of those that `artcluster cluster --help` lists."""
    k: Annotated[int, Field(ge=2)] = 8
    seed: Annotated[int, Field(ge=0)] = 0
    restarts: Annotated[int, Field(ge=1)] = 20
    """k-means restarts; the best inertia is kept."""
    kmeans_engine: Literal["torch", "faiss"] = "torch"
    """Which library iterates: our own on torch (faster at the same inertia), or FAISS."""
    scaling: Literal["none", "unit"] = "none"
    """`unit` scales every embedding to length one first."""
    count_duplicates: bool = False
    """Let a content weigh as much as there are images of it, not once; for methods that are given
    vectors, or find faces."""
    max_training_vectors: Annotated[int, Field(ge=100)] = 1_000_000
    """Models are fitted on at most so many distinct contents, a sample recorded with the run."""
    max_training_bytes: Annotated[int, Field(ge=1 << 20)] = 8 << 30
    """Memory that the vectors a model is fitted on may take."""
    max_silhouette_vectors: Annotated[int, Field(ge=100)] = 20_000
    """Silhouettes are exact up to here and computed on a sample past it."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Ray Train workers; by default in-process for small archives, else one a GPU or CPU."""
    use_gpu: bool | None = None
    """Train on GPUs; by default where there are any. k-means and TEMI compute where the job runs,
    on a GPU only if there is one."""
    pretrain: PretrainSettings = PretrainSettings()
    dec: DecSettings = DecSettings()
    dcec: DcecSettings = DcecSettings()
    pca_components: Annotated[int, Field(ge=1)] = 2
    """Principal components of `pca-kmeans`."""
    colours: Literal["rgb", "grey"] = "rgb"
    """What `genre-dec` sees of the pictures."""
    space_dim: Annotated[int, Field(ge=1)] = 32
    """Principal components, of vectors at length one, in which `consensus`, `hierarchy`, `hdbscan`
    and `guided` cluster."""
    cells: Annotated[int, Field(ge=2)] = 4000
    """`consensus` and `hierarchy` merge single images up to so many, and small clusters of images,
    so many, past it. Memory is their square."""
    rounds: Annotated[int, Field(ge=1)] = 5
    """Rounds in which `consensus` asks 20 clusterings each."""
    max_pairwise_vectors: Annotated[int, Field(ge=100)] = 20_000
    """`hdbscan` and `temi` compare all vectors with one another: past so many they are fitted on a
    sample of that size, recorded with the run."""
    temi: TemiSettings = TemiSettings()
    hdbscan: HdbscanSettings = HdbscanSettings()
    dbscan: DbscanSettings = DbscanSettings()
    hints: str | None = None
    """CSV, Parquet or JSONL of what `guided` is told: columns `path` and `label`, or `path`,
    `other` and `link` (`must` or `cannot`). These images are left out of all comparison with
    labels."""
    labels: tuple[str, ...] = ()
    """Metadata columns that metrics compare the clusters with. Training never sees them."""
