"""What can be set about the search for similar pictures."""

from typing import Annotated, Literal

from pydantic import Field

from artcluster.config.base import Settings


class SearchSettings(Settings):
    """When vectors are compared one by one, and what the index is like where they are not."""

    exact_below: Annotated[int, Field(ge=0)] = 100_000
    """Up to so many vectors are compared one by one; beyond, an index is built and kept in the
    store. So many new ones are compared one by one beside an index before they are added to it."""
    codes: Literal["float16", "int8"] = "float16"
    """How the index holds a number of a vector: 2 bytes, or 1 with some recall lost."""
    recall: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Share of the true 10 nearest that the index must find on the store's own pictures; as many
    of its lists are read for each query as that takes."""
    memory_bytes: Annotated[int, Field(ge=1 << 26)] = 1 << 30
    """Memory that building an index may take beside what FAISS itself needs."""
    seed: int = 0
    """Seed of the sample that an index is trained on and measured with."""
