"""What can be set about maps and reports."""

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


class MapSettings(Settings):
    """How a model's images are laid out on a plane."""

    method: str = "tsne"
    """openTSNE, or UMAP (the extra `umap`)."""
    perplexity: Annotated[float, Field(ge=2, le=500)] = 30.0
    """t-SNE's perplexity; smaller where there are few images."""
    early_iterations: Annotated[int, Field(ge=1)] = 250
    """t-SNE's iterations with early exaggeration."""
    iterations: Annotated[int, Field(ge=1)] = 500
    """t-SNE's iterations after them; UMAP's epochs."""
    neighbours: Annotated[int, Field(ge=2)] = 15
    """UMAP's neighbours."""
    min_dist: Annotated[float, Field(ge=0, le=1)] = 0.1
    """UMAP's least distance of points."""
    pca_dim: Annotated[int, Field(ge=2)] = 50
    """Longer vectors are first brought to so many principal components."""
    seed: Annotated[int, Field(ge=0)] = 0
    max_fitted: Annotated[int, Field(ge=100)] = 10_000
    """The map is fitted on at most so many images, a sample of every cluster; the rest is placed
    in it."""
    max_bytes: Annotated[int, Field(ge=1 << 20)] = 2 << 30
    """Memory that the sample's vectors may take."""


class ReportSettings(Settings):
    """What a report shows, and how it links to the originals."""

    title: str | None = None
    """Title of the report; by default the archive's name."""
    title_column: str | None = None
    """Metadata column that captions a picture; by default `title`, where there is one."""
    number_column: str | None = None
    """Metadata column with the archive's own number of a picture."""
    columns: tuple[str, ...] = ()
    """Metadata columns that say something about pictures: clusters are described and named by
    them. Empty takes all."""
    link: str | None = None
    """Address of an original, such as `https://iiif.museum.org/{number}/full/max/0/default.jpg`.
    May name {path}, {stem}, {uri}, {content_id}, {region} (a face's box, else `full`), {number},
    and metadata columns. By default the file itself, where a browser can open it."""
    max_map_points: Annotated[int, Field(ge=100)] = 200_000
    """The map shows at most so many images, a sample past it."""
    card_images: Annotated[int, Field(ge=6, le=500)] = 48
    """Pictures in a cluster's sample sheet; fewer where there are many clusters …"""
    max_card_images: Annotated[int, Field(ge=100)] = 6_000
    """… as all cards together show at most about so many."""
    duplicate_distance: Annotated[float, Field(ge=0, le=2)] = 0.05
    """Images of one cluster are near-duplicates up to this cosine distance of their vectors."""
    max_vectors: Annotated[int, Field(ge=100)] = 100_000
    """Near-duplicates are looked for among at most so many vectors, a sample of every cluster …"""
    max_vector_bytes: Annotated[int, Field(ge=1 << 20)] = 1 << 30
    """… that take at most so much memory."""
