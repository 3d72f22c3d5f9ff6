"""What can be set about trials: fits that are measured and compared, not kept as runs."""

from typing import Annotated

from pydantic import Field

from artcluster.config.base import Settings


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
