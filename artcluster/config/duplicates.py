"""What can be set about finding pictures that are there twice."""

from typing import Annotated, Literal

from pydantic import Field

from artcluster.config.base import Settings


class DuplicatesSettings(Settings):
    """When two pictures of different bytes are the same. The defaults are what a look at the demo
    archive gave: every pair they find is one picture, and recoloured or redrawn ones are apart."""

    by: Literal["both", "hash", "embedding"] = "both"
    """`hash`: the perceptual hashes are near; `embedding`: the vectors are, all pairs of them;
    `both`: groups of near hashes, divided where the vectors are not near."""
    max_distance: Annotated[float, Field(ge=0, le=2)] = 0.02
    """Cosine distance of the vectors of one picture, at most."""
    max_hash_bits: Annotated[int, Field(ge=0, le=31)] = 4
    """Bits of 64 in which the perceptual hashes of one picture differ, at most."""
    max_bytes: Annotated[int, Field(ge=1 << 20)] = 8 << 30
    """Memory that the vectors to compare may take."""
