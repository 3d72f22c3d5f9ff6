"""What can be set about the profile of an archive."""

from typing import Annotated

from pydantic import Field

from artcluster.config.base import Settings


class ProfileSettings(Settings):
    """How much a profile shows and looks at."""

    max_values: Annotated[int, Field(ge=1)] = 30
    """The most frequent values of a column that are shown; the rest is summed up."""
    max_groups: Annotated[int, Field(ge=2)] = 20
    """Groups, the largest, between which colours are compared."""
    max_pictures: Annotated[int, Field(ge=20)] = 1_000
    """Colours are compared on at most so many pictures, as many of each group."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of that sample."""
