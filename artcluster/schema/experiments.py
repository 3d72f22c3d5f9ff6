"""Tables of experiments: trials, what sweeps and comparisons make of them, and studies."""

from artcluster.schema.table import flag, float64, int32, int64, table, text, time

TRIAL_MEASURES = (
    float64("silhouette", "Mean silhouette in the method's own space"),
    float64(
        "silhouette_common",
        "Mean silhouette in the space of common_embedder_id, where methods compare",
    ),
    float64("calinski_harabasz", "Calinski-Harabasz index in the own space"),
    float64("calinski_harabasz_common", "The same in the common space"),
    float64("inertia", "Squared distances to the centroids, own space"),
    float64("inertia_common", "Squared distances to the means, common space"),
    int32("non_empty", "Clusters with a member"),
    float64("noise_share", "Share of the contents that are noise"),
    int64("iterations", "Iterations of the method's last stage; null if it has none"),
    flag("converged", "Whether a refinement converged; null without one"),
    text("verdict", "What the guard said of the refinement; '' without one"),
    float64("seconds", "Fitting, without networks that several fits share"),
    int64("peak_bytes", "Most memory of the fitting process; null if not told"),
)
"""Columns of a trial that sweeps and comparisons repeat."""

TRIALS = table(
    "trials",
    "One row per fit that was measured, and not kept as a run",
    text("trial_id", "Hash of all that decides the fit"),
    text("archive_id", "The archive"),
    text("contents", "Hash of the content_ids that it was fitted on"),
    int64("points", "Contents that it was fitted on"),
    text("method", "delius, kmeans, …"),
    int32("k", "Number of clusters asked for"),
    int64("seed", "Seed of the method"),
    int32("resample", "Number of the resample; null for all contents"),
    text("embedder_id", "The vectors that the method was given"),
    text("common_embedder_id", "The vectors of the common space"),
    *TRIAL_MEASURES,
    text("shared_seconds", "Seconds of what several fits share, JSON"),
    text("settings", "The method's settings as JSON"),
    text("path", "File of its clusters and map, relative to the store"),
    time("created_at", "When it was committed"),
)


SWEEPS = table(
    "sweeps",
    "One row per number of clusters that a sweep tried",
    text("sweep_id", "Hash of what was asked and of its trials"),
    text("archive_id", "The archive"),
    text("method", "The method, as it was asked for"),
    text("embedder_id", "The vectors that the method was given"),
    int64("points", "Contents that were clustered"),
    int64("sampled_from", "Contents that there were to choose from"),
    int32("k", "Number of clusters asked for"),
    text("trial_id", "The fit on all contents"),
    *TRIAL_MEASURES,
    float64("stability", "Mean ARI with fits on resamples; null without"),
    int32("resamples", "How many they were"),
    flag("elbow", "Whether the inertia bends here"),
    flag("recommended", "Whether this k is recommended"),
    text("reason", "Why; on the recommended row"),
    text("asked", "What was asked as JSON: subset, settings"),
    time("created_at", "When the sweep was committed"),
)


COMPARISONS = table(
    "comparisons",
    "One row per method, number of clusters and seed that a comparison tried",
    text("comparison_id", "Hash of what was asked and of its trials"),
    text("archive_id", "The archive"),
    text("name", "The method, its vectors and settings as asked for"),
    text("method", "The method"),
    int32("k", "Number of clusters asked for"),
    int64("seed", "Seed of the method"),
    text("trial_id", "The fit"),
    *TRIAL_MEASURES,
    text("labels", "By label as JSON: accuracy, nmi, ari, non_empty, labelled_count"),
    text("asked", "What was asked as JSON: labels, subset, settings"),
    time("created_at", "When the comparison was committed"),
)


STUDIES = table(
    "studies",
    "One row per finished study, written last: a study exists once its row does",
    text("study_id", "Kind, and a hash of all that decides the study"),
    text("kind", "genres or backbones"),
    text("archive_id", "The archive"),
    int64("scan_id", "The scan whose images it looked at"),
    text("metadata_version", "Version of the metadata"),
    text("label", "The metadata column that it is about"),
    text("config", "Its settings as JSON"),
    text("results", "All that it found, as JSON"),
    text("path", "Folder of its page and tables, relative to the store"),
    text("versions", "Library versions as JSON"),
    text("timings", "Time per stage in seconds, as JSON"),
    time("created_at", "When the study was committed"),
)
