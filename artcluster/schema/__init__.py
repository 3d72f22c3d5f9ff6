"""Names and types of every table of the store: the vocabulary that all packages share.

All timestamps are UTC microseconds. Strings that name bytes (`content_id`) are lower-case
hexadecimal SHA-256. Lists are plain Arrow lists, which DuckDB, Polars, Spark and pandas read alike.
"""

from artcluster.schema.archive import (
    EMBEDDERS,
    EMBEDDINGS,
    IMAGES,
    METADATA,
    METADATA_KEYS,
    PERCEPTUAL_HASHES,
    REGIONS,
)
from artcluster.schema.clusterings import (
    ASSIGNMENTS,
    CLUSTER_NAMES,
    CLUSTER_WORDS,
    CLUSTERS,
    EDITS,
    LABEL_METRICS,
    LINEAGE,
    MODELS,
    PROJECTIONS,
    RUNS,
)
from artcluster.schema.experiments import COMPARISONS, STUDIES, SWEEPS, TRIAL_MEASURES, TRIALS
from artcluster.schema.table import Table

__all__ = [
    "ASSIGNMENTS",
    "CLUSTERS",
    "CLUSTER_NAMES",
    "CLUSTER_WORDS",
    "COMPARISONS",
    "EDITS",
    "EMBEDDERS",
    "EMBEDDINGS",
    "FORMAT_VERSION",
    "IMAGES",
    "LABEL_METRICS",
    "LINEAGE",
    "METADATA",
    "METADATA_KEYS",
    "MODELS",
    "PERCEPTUAL_HASHES",
    "PROJECTIONS",
    "REGIONS",
    "RUNS",
    "STUDIES",
    "SWEEPS",
    "TABLES",
    "TRIALS",
    "TRIAL_MEASURES",
    "Table",
]

FORMAT_VERSION = 1

TABLES = {
    each.name: each
    for each in (
        IMAGES,
        EMBEDDERS,
        EMBEDDINGS,
        REGIONS,
        MODELS,
        ASSIGNMENTS,
        RUNS,
        CLUSTERS,
        LABEL_METRICS,
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
