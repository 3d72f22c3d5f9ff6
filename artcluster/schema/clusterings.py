"""Tables of clusterings: models, runs, and what people call and correct in them."""

from artcluster.schema.table import flag, float32, int32, int64, table, text, texts, time

MODELS = table(
    "models",
    "One row per model; its files are at `path`",
    text("model_id", "Name and hash of what the model was made from"),
    text("method", "delius, kmeans, …"),
    int32("k", "Number of clusters asked for"),
    text("embedder_id", "The only embedder whose vectors it takes"),
    text("config", "Resolved settings as JSON, without secrets"),
    text("training", "Metrics of training as JSON: losses, label changes"),
    text("path", "Folder of its files, relative to the store"),
    time("created_at", "When the row was written"),
)


ASSIGNMENTS = table(
    "assignments",
    "One row per content assigned by a model",
    text("model_id", "The model that assigned"),
    text("content_id", "SHA-256 of the image's bytes"),
    text("region", "'' for the whole image, else 'x,y,width,height' of a part"),
    int32("cluster", "Cluster number; -1 is noise"),
    float32("confidence", "Student-t membership of the cluster, 0 to 1"),
    float32("margin", "Confidence less that of the second cluster, 0 to 1"),
    float32("distance", "Distance to the centroid in the model's space"),
    int32("second_cluster", "The next best cluster"),
    flag("low_confidence", "Confidence below the model's fitted quantile"),
    flag("outlier", "Beyond its cluster's 99th percentile of distance"),
    partition_by=("model_id",),
)


RUNS = table(
    "runs",
    "One row per finished run, written last: a run exists once its row does",
    text("run_id", "Hash of config, parent, scan and metadata version"),
    text("parent", "The run this one follows; null for a first run"),
    text(
        "series",
        "The first run of the row of runs that this one follows; cluster numbers mean the "
        "same in all of them, names and edits hold for all; null reads as run_id",
    ),
    text("archive_id", "The archive that was clustered"),
    int64("scan_id", "The scan whose images the run covers"),
    text("model_id", "The model applied"),
    text("embedder_id", "The embedder of the vectors"),
    text("metadata_version", "Version of the metadata; '' without any"),
    int64("images", "Images covered: paths with an assignment"),
    int32("next_cluster", "Cluster numbers from here on were never used before"),
    text("decision", "Of an update: what was decided and why, and drift, JSON"),
    text("config", "Resolved config as JSON, without secrets"),
    text("metrics", "Metrics as JSON"),
    text("versions", "Library versions as JSON"),
    text("timings", "Time per stage in seconds, as JSON"),
    time("created_at", "When the run was committed"),
)


CLUSTERS = table(
    "clusters",
    "One row per cluster of a run",
    text("run_id", "The run"),
    int32("cluster", "Cluster number; -1 is noise"),
    int64("size", "Distinct contents in the cluster"),
    texts("medoids", "content_ids nearest to the centroid"),
    texts("terms", "Over-represented metadata values"),
    partition_by=("run_id",),
)


LABEL_METRICS = table(
    "label_metrics",
    "One row per run and label that was asked for once the run was finished",
    text("run_id", "The run"),
    text("label", "Column of the metadata"),
    text("metrics", "How far its clusters agree with it, as JSON, as in `metrics` of the run"),
    time("created_at", "When it was measured"),
    partition_by=("run_id",),
)


LINEAGE = table(
    "lineage",
    "One row per pair of clusters, old and new, that share members",
    text("run_id", "The later run"),
    int32("old_cluster", "Cluster in the parent run; null if born"),
    int32("new_cluster", "Cluster in this run; null if died"),
    int64("overlap", "Members they share; 0 for born and died"),
    int64("old_size", "Members of the old one that this run covers, too"),
    int64("new_size", "Members of the new one that the parent covers, too"),
    text("kind", "kept, split, merged, born or died"),
    partition_by=("run_id",),
)


PROJECTIONS = table(
    "projections",
    "One row per content on a model's map",
    text("model_id", "The model whose space was projected"),
    text("content_id", "SHA-256 of the image's bytes"),
    text("region", "'' for the whole image, else 'x,y,width,height' of a part"),
    float32("x", "Horizontal position"),
    float32("y", "Vertical position"),
    partition_by=("model_id",),
)


CLUSTER_NAMES = table(
    "cluster_names",
    "One row per name given to a cluster; the newest is current",
    text("run_id", "The run in which the name was given"),
    text("series", "The series of runs that it holds for"),
    int32("cluster", "Cluster number"),
    text("name", "The name; null takes an earlier one away"),
    text("who", "Who gave it"),
    time("named_at", "When it was given"),
)


CLUSTER_WORDS = table(
    "cluster_words",
    "One row per word that fits a cluster; those of the latest time are current",
    text("run_id", "The run whose clusters were compared with words"),
    text("series", "The series of runs that it holds for"),
    int32("cluster", "Cluster number, as people see it; null takes all words of the series away"),
    text("word", "A word that fits the cluster, one of the list"),
    float32("cosine", "Cosine of the cluster's mean and the word"),
    float32("probability", "Softmax over the words of the list"),
    float32("lift", "How many times likelier than in the other clusters"),
    int64("images", "Contents that the mean was taken of"),
    text("embedder_id", "The network whose space it is"),
    text("word_list", "The list, and a hash of it"),
    time("suggested_at", "When; the rows of a series' latest time hold"),
)


EDITS = table(
    "edits",
    "One row per correction by hand; the newest is current",
    text("edit_id", "The edit; its consequences for others share it"),
    text("series", "The series of runs that it holds for"),
    text("run_id", "The run that it was made in"),
    text(
        "kind",
        "merge, move or undo; follow: a consequence for another cluster; inherit: a merge "
        "that a refit's lineage calls for",
    ),
    int32("cluster", "The cluster shown as another; null for an image"),
    text("content_id", "The image moved; null for a cluster"),
    text("path", "The path by which the image was named"),
    int32("shown_cluster", "What it is shown as; null: as the model has it again"),
    text("of_edit", "The edit undone, or that is inherited from"),
    text("who", "Who made it"),
    time("edited_at", "When; the latest row of a cluster or an image holds"),
)
