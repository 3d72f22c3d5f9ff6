"""Names and types of every table of the store: the vocabulary that all rooms share.

All timestamps are UTC microseconds. Strings that name bytes (`content_id`) are lower-case
hexadecimal SHA-256. Lists are plain Arrow lists, which DuckDB, Polars, Spark and pandas read alike.
"""

from dataclasses import dataclass

import pyarrow as pa

FORMAT_VERSION = 1


_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Table:
    """One Delta table.

    Attributes:
        name: Its name, and its folder in the store.
        schema: Its columns.
        partition_by: Columns whose values name folders; the files within leave them out.
    """

    name: str
    schema: pa.Schema
    partition_by: tuple[str, ...] = ()

    @property
    def file_schema(self) -> pa.Schema:
        """The columns of the table's files: all but those of the partition."""
        return pa.schema([column for column in self.schema if column.name not in self.partition_by])


def _column(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable, metadata={"comment": meaning})


IMAGES = Table(
    "images",
    pa.schema(
        [
            _column("archive_id", pa.string(), "The archive the path belongs to"),
            _column(
                "path", pa.string(), "Path relative to the archive's root, '/' between folders"
            ),
            _column("uri", pa.string(), "Where the bytes lie, without credentials"),
            _column("scan_id", pa.int64(), "The scan that first saw this state of the path"),
            _column("size_bytes", pa.int64(), "Size in the listing"),
            _column("version", pa.string(), "Change marker of the listing: etag, else mtime"),
            _column("content_id", pa.string(), "SHA-256 of the bytes; null where never fetched"),
            _column("width", pa.int32(), "Pixels after EXIF rotation; null where not decoded"),
            _column("height", pa.int32(), "Pixels after EXIF rotation; null where not decoded"),
            _column("format", pa.string(), "Format by content: JPEG, PNG, …"),
            _column("status", pa.string(), "ok, rejected or removed"),
            _column("stage", pa.string(), "For a reject: the stage that refused it"),
            _column("reason", pa.string(), "For a reject: a code such as not-an-image, truncated"),
            _column("detail", pa.string(), "For a reject: the decoder's words"),
            _column(
                "pixel_policy", pa.string(), "The pixel policy that the status was found under"
            ),
            _column("seen_at", _TIME, "When the row was written"),
        ]
    ),
)


EMBEDDERS = Table(
    "embedders",
    pa.schema(
        [
            _column("embedder_id", pa.string(), "Name and hash of the contract"),
            _column("name", pa.string(), "The embedder's name, such as densenet121"),
            _column("dim", pa.int32(), "Length of its vectors"),
            _column("contract", pa.string(), "The whole contract as JSON"),
            _column("engine", pa.string(), "Engine and library versions at first use, JSON"),
            _column("created_at", _TIME, "When the row was written"),
        ]
    ),
)


EMBEDDINGS = Table(
    "embeddings",
    pa.schema(
        [
            _column("embedder_id", pa.string(), "The embedder that made the vector"),
            _column("content_id", pa.string(), "SHA-256 of the image's bytes"),
            _column(
                "region", pa.string(), "'' for the whole image, else 'x,y,width,height' of a part"
            ),
            _column("embedding", pa.list_(pa.float32()), "The vector"),
        ]
    ),
    ("embedder_id",),
)


REGIONS = Table(
    "regions",
    pa.schema(
        [
            _column("embedder_id", pa.string(), "The embedder that looked for parts of pictures"),
            _column("content_id", pa.string(), "SHA-256 of the image's bytes"),
            _column(
                "region", pa.string(), "The part, 'x,y,width,height'; '' for the picture looked at"
            ),
            _column("kind", pa.string(), "face; picture where region is ''"),
            _column("x", pa.int32(), "Left side in pixels of the upright picture"),
            _column("y", pa.int32(), "Upper side in pixels of the upright picture"),
            _column("width", pa.int32(), "In pixels of the upright picture"),
            _column("height", pa.int32(), "In pixels of the upright picture"),
            _column("score", pa.float32(), "How sure the detector is, 0 to 1; null for a picture"),
        ]
    ),
    ("embedder_id",),
)


MODELS = Table(
    "models",
    pa.schema(
        [
            _column("model_id", pa.string(), "Name and hash of what the model was made from"),
            _column("method", pa.string(), "delius, kmeans, …"),
            _column("k", pa.int32(), "Number of clusters asked for"),
            _column("embedder_id", pa.string(), "The only embedder whose vectors it takes"),
            _column("config", pa.string(), "Resolved settings as JSON, without secrets"),
            _column("training", pa.string(), "Metrics of training as JSON: losses, label changes"),
            _column("path", pa.string(), "Folder of its files, relative to the store"),
            _column("created_at", _TIME, "When the row was written"),
        ]
    ),
)


ASSIGNMENTS = Table(
    "assignments",
    pa.schema(
        [
            _column("model_id", pa.string(), "The model that assigned"),
            _column("content_id", pa.string(), "SHA-256 of the image's bytes"),
            _column(
                "region", pa.string(), "'' for the whole image, else 'x,y,width,height' of a part"
            ),
            _column("cluster", pa.int32(), "Cluster number; -1 is noise"),
            _column("confidence", pa.float32(), "Student-t membership of the cluster, 0 to 1"),
            _column("margin", pa.float32(), "Confidence less that of the second cluster, 0 to 1"),
            _column("distance", pa.float32(), "Distance to the centroid in the model's space"),
            _column("second_cluster", pa.int32(), "The next best cluster"),
            _column("low_confidence", pa.bool_(), "Confidence below the model's fitted quantile"),
            _column("outlier", pa.bool_(), "Beyond its cluster's 99th percentile of distance"),
        ]
    ),
    ("model_id",),
)


RUNS = Table(
    "runs",
    pa.schema(
        [
            _column("run_id", pa.string(), "Hash of config, parent, scan and metadata version"),
            _column("parent", pa.string(), "The run this one follows; null for a first run"),
            _column(
                "series",
                pa.string(),
                "The first run of the row of runs that this one follows; cluster numbers mean the "
                "same in all of them, names and edits hold for all; null reads as run_id",
            ),
            _column("archive_id", pa.string(), "The archive that was clustered"),
            _column("scan_id", pa.int64(), "The scan whose images the run covers"),
            _column("model_id", pa.string(), "The model applied"),
            _column("embedder_id", pa.string(), "The embedder of the vectors"),
            _column("metadata_version", pa.string(), "Version of the metadata; '' without any"),
            _column("images", pa.int64(), "Images covered: paths with an assignment"),
            _column(
                "next_cluster", pa.int32(), "Cluster numbers from here on were never used before"
            ),
            _column(
                "decision", pa.string(), "Of an update: what was decided and why, and drift, JSON"
            ),
            _column("config", pa.string(), "Resolved config as JSON, without secrets"),
            _column("metrics", pa.string(), "Metrics as JSON"),
            _column("versions", pa.string(), "Library versions as JSON"),
            _column("timings", pa.string(), "Seconds a stage as JSON"),
            _column("created_at", _TIME, "When the run was committed"),
        ]
    ),
)


CLUSTERS = Table(
    "clusters",
    pa.schema(
        [
            _column("run_id", pa.string(), "The run"),
            _column("cluster", pa.int32(), "Cluster number; -1 is noise"),
            _column("size", pa.int64(), "Distinct contents in the cluster"),
            _column("medoids", pa.list_(pa.string()), "content_ids nearest to the centroid"),
            _column("terms", pa.list_(pa.string()), "Over-represented metadata values"),
        ]
    ),
    ("run_id",),
)


LINEAGE = Table(
    "lineage",
    pa.schema(
        [
            _column("run_id", pa.string(), "The later run"),
            _column("old_cluster", pa.int32(), "Cluster in the parent run; null if born"),
            _column("new_cluster", pa.int32(), "Cluster in this run; null if died"),
            _column("overlap", pa.int64(), "Members they share; 0 for born and died"),
            _column("old_size", pa.int64(), "Members of the old one that this run covers, too"),
            _column("new_size", pa.int64(), "Members of the new one that the parent covers, too"),
            _column("kind", pa.string(), "kept, split, merged, born or died"),
        ]
    ),
    ("run_id",),
)


PROJECTIONS = Table(
    "projections",
    pa.schema(
        [
            _column("model_id", pa.string(), "The model whose space was projected"),
            _column("content_id", pa.string(), "SHA-256 of the image's bytes"),
            _column(
                "region", pa.string(), "'' for the whole image, else 'x,y,width,height' of a part"
            ),
            _column("x", pa.float32(), "Horizontal position"),
            _column("y", pa.float32(), "Vertical position"),
        ]
    ),
    ("model_id",),
)


CLUSTER_NAMES = Table(
    "cluster_names",
    pa.schema(
        [
            _column("run_id", pa.string(), "The run in which the name was given"),
            _column("series", pa.string(), "The series of runs that it holds for"),
            _column("cluster", pa.int32(), "Cluster number"),
            _column("name", pa.string(), "The name; null takes an earlier one away"),
            _column("who", pa.string(), "Who gave it"),
            _column("named_at", _TIME, "When it was given"),
        ]
    ),
)


CLUSTER_WORDS = Table(
    "cluster_words",
    pa.schema(
        [
            _column("run_id", pa.string(), "The run whose clusters were compared with words"),
            _column("series", pa.string(), "The series of runs that it holds for"),
            _column(
                "cluster",
                pa.int32(),
                "Cluster number, as people see it; null takes all words of the series away",
            ),
            _column("word", pa.string(), "A word that fits the cluster, one of the list"),
            _column("cosine", pa.float32(), "Cosine of the cluster's mean and the word"),
            _column("probability", pa.float32(), "Softmax over the words of the list"),
            _column("lift", pa.float32(), "How many times likelier than in the other clusters"),
            _column("images", pa.int64(), "Contents that the mean was taken of"),
            _column("embedder_id", pa.string(), "The network whose space it is"),
            _column("word_list", pa.string(), "The list, and a hash of it"),
            _column("suggested_at", _TIME, "When; the rows of a series' latest time hold"),
        ]
    ),
)


EDITS = Table(
    "edits",
    pa.schema(
        [
            _column("edit_id", pa.string(), "The edit; its consequences for others share it"),
            _column("series", pa.string(), "The series of runs that it holds for"),
            _column("run_id", pa.string(), "The run that it was made in"),
            _column(
                "kind",
                pa.string(),
                "merge, move or undo; follow: a consequence for another cluster; inherit: a merge "
                "that a refit's lineage calls for",
            ),
            _column("cluster", pa.int32(), "The cluster shown as another; null for an image"),
            _column("content_id", pa.string(), "The image moved; null for a cluster"),
            _column("path", pa.string(), "The path by which the image was named"),
            _column(
                "shown_cluster", pa.int32(), "What it is shown as; null: as the model has it again"
            ),
            _column("of_edit", pa.string(), "The edit undone, or that is inherited from"),
            _column("who", pa.string(), "Who made it"),
            _column("edited_at", _TIME, "When; the latest row of a cluster or an image holds"),
        ]
    ),
)


PERCEPTUAL_HASHES = Table(
    "perceptual_hashes",
    pa.schema(
        [
            _column("content_id", pa.string(), "SHA-256 of the image's bytes"),
            _column("phash", pa.string(), "64 bits in hexadecimal: near where pictures look alike"),
        ]
    ),
)


_MEASURES = (
    _column("silhouette", pa.float64(), "Mean silhouette in the method's own space"),
    _column(
        "silhouette_common",
        pa.float64(),
        "Mean silhouette in the space of common_embedder_id, where methods compare",
    ),
    _column("calinski_harabasz", pa.float64(), "Calinski-Harabasz index in the own space"),
    _column("calinski_harabasz_common", pa.float64(), "The same in the common space"),
    _column("inertia", pa.float64(), "Squared distances to the centroids, own space"),
    _column("inertia_common", pa.float64(), "Squared distances to the means, common space"),
    _column("non_empty", pa.int32(), "Clusters with a member"),
    _column("noise_share", pa.float64(), "Share of the contents that are noise"),
    _column("iterations", pa.int64(), "Iterations of the method's last stage; null if it has none"),
    _column("converged", pa.bool_(), "Whether a refinement converged; null without one"),
    _column("verdict", pa.string(), "What the guard said of the refinement; '' without one"),
    _column("seconds", pa.float64(), "Fitting, without networks that several fits share"),
    _column("peak_bytes", pa.int64(), "Most memory of the fitting process; null if not told"),
)


TRIALS = Table(
    "trials",
    pa.schema(
        [
            _column("trial_id", pa.string(), "Hash of all that decides the fit"),
            _column("archive_id", pa.string(), "The archive"),
            _column("contents", pa.string(), "Hash of the content_ids that it was fitted on"),
            _column("points", pa.int64(), "Contents that it was fitted on"),
            _column("method", pa.string(), "delius, kmeans, …"),
            _column("k", pa.int32(), "Number of clusters asked for"),
            _column("seed", pa.int64(), "Seed of the method"),
            _column("resample", pa.int32(), "Number of the resample; null for all contents"),
            _column("embedder_id", pa.string(), "The vectors that the method was given"),
            _column("common_embedder_id", pa.string(), "The vectors of the common space"),
            *_MEASURES,
            _column("shared_seconds", pa.string(), "Seconds of what several fits share, JSON"),
            _column("settings", pa.string(), "The method's settings as JSON"),
            _column("path", pa.string(), "File of its clusters and map, relative to the store"),
            _column("created_at", _TIME, "When it was committed"),
        ]
    ),
)


SWEEPS = Table(
    "sweeps",
    pa.schema(
        [
            _column("sweep_id", pa.string(), "Hash of what was asked and of its trials"),
            _column("archive_id", pa.string(), "The archive"),
            _column("method", pa.string(), "The method, as it was asked for"),
            _column("embedder_id", pa.string(), "The vectors that the method was given"),
            _column("points", pa.int64(), "Contents that were clustered"),
            _column("sampled_from", pa.int64(), "Contents that there were to choose from"),
            _column("k", pa.int32(), "Number of clusters asked for"),
            _column("trial_id", pa.string(), "The fit on all contents"),
            *_MEASURES,
            _column("stability", pa.float64(), "Mean ARI with fits on resamples; null without"),
            _column("resamples", pa.int32(), "How many they were"),
            _column("elbow", pa.bool_(), "Whether the inertia bends here"),
            _column("recommended", pa.bool_(), "Whether this k is recommended"),
            _column("reason", pa.string(), "Why; on the recommended row"),
            _column("asked", pa.string(), "What was asked as JSON: subset, settings"),
            _column("created_at", _TIME, "When the sweep was committed"),
        ]
    ),
)


COMPARISONS = Table(
    "comparisons",
    pa.schema(
        [
            _column("comparison_id", pa.string(), "Hash of what was asked and of its trials"),
            _column("archive_id", pa.string(), "The archive"),
            _column("name", pa.string(), "The method, its vectors and settings as asked for"),
            _column("method", pa.string(), "The method"),
            _column("k", pa.int32(), "Number of clusters asked for"),
            _column("seed", pa.int64(), "Seed of the method"),
            _column("trial_id", pa.string(), "The fit"),
            *_MEASURES,
            _column(
                "labels",
                pa.string(),
                "By label as JSON: accuracy, nmi, ari, non_empty, labelled_count",
            ),
            _column("asked", pa.string(), "What was asked as JSON: labels, subset, settings"),
            _column("created_at", _TIME, "When the comparison was committed"),
        ]
    ),
)


STUDIES = Table(
    "studies",
    pa.schema(
        [
            _column("study_id", pa.string(), "Kind, and a hash of all that decides the study"),
            _column("kind", pa.string(), "genres or backbones"),
            _column("archive_id", pa.string(), "The archive"),
            _column("scan_id", pa.int64(), "The scan whose images it looked at"),
            _column("metadata_version", pa.string(), "Version of the metadata"),
            _column("label", pa.string(), "The metadata column that it is about"),
            _column("config", pa.string(), "Its settings as JSON"),
            _column("results", pa.string(), "All that it found, as JSON"),
            _column("path", pa.string(), "Folder of its page and tables, relative to the store"),
            _column("versions", pa.string(), "Library versions as JSON"),
            _column("timings", pa.string(), "Seconds a stage as JSON"),
            _column("created_at", _TIME, "When the study was committed"),
        ]
    ),
)


TABLES = {
    table.name: table
    for table in (
        IMAGES,
        EMBEDDERS,
        EMBEDDINGS,
        REGIONS,
        MODELS,
        ASSIGNMENTS,
        RUNS,
        CLUSTERS,
        LINEAGE,
        PROJECTIONS,
        CLUSTER_NAMES,
        CLUSTER_WORDS,
        EDITS,
        PERCEPTUAL_HASHES,
        STUDIES,
        TRIALS,
        SWEEPS,
        COMPARISONS,
    )
}

"""Every table with fixed columns. `metadata` has the user's own columns beside its keys."""


METADATA = Table(
    "metadata",
    pa.schema(
        [
            _column("archive_id", pa.string(), "The archive the path belongs to"),
            _column("path", pa.string(), "Path of the image, as in `images`; null if none"),
            _column("metadata_source", pa.string(), "The file the row came from"),
            _column("metadata_version", pa.string(), "Version of the source; later ones sort last"),
        ]
    ),
)


METADATA_KEYS = tuple(METADATA.schema.names)
