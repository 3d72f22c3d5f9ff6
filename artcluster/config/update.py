"""What can be set about updates: when a model is fitted again, and how its clusters go on."""

from typing import Annotated, Literal

from pydantic import Field

from artcluster.config.base import Settings


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
