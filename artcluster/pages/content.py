"""What a report says, as plain data: made by a stage, drawn by the templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from artcluster.pages.atlas import Tile


@dataclass(frozen=True)
class Term:
    """A metadata value that is over-represented in a cluster.

    Attributes:
        count: Images of the cluster that have it.
        share: Of the cluster's images with any value in the column, 0 to 1.
        lift: How many times likelier it is here than everywhere, smoothed.
    """

    column: str
    value: str
    count: int
    share: float
    lift: float


@dataclass(frozen=True)
class Word:
    """A word of the word cloud; `size` is 1 (smallest) to 6."""

    text: str
    count: int
    size: int


@dataclass(frozen=True)
class ReportPicture:
    """One image, as a card shows it.

    Attributes:
        place: Where the original lies, for people to read.
        link: Where the original can be opened; '' where a browser cannot.
        number: The archive's own number; '' without one.
        tile: Its small copy; None where the original could not be read.
        copies: Paths with the very same bytes, this one counted.
        confidence: Student-t membership of its cluster.
        second: Title of the next best cluster; '' where there is none.
        remarks: `outlier`, `low confidence`.
    """

    content_id: str
    caption: str
    path: str
    place: str
    link: str
    number: str
    tile: Tile | None
    width: int
    height: int
    copies: int
    confidence: float
    second: str
    remarks: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FittingWord:
    """A word that fits a cluster's pictures, in a network's eyes.

    Attributes:
        cosine: Cosine of the cluster's mean and the word.
        probability: Against the other words of the list, 0 to 1.
        lift: How many times likelier than in the other clusters.
    """

    text: str
    cosine: float
    probability: float
    lift: float


@dataclass(frozen=True)
class ClusterEntry:
    """A cluster, as lists show it.

    Attributes:
        name: Name that people gave it; '' without one.
        suggested: Name made of the words that fit it, or of its metadata; '' where nothing stands
            out.
        by_words: Whether words suggest the name, which were asked for, rather than metadata.
        share: Of all images, 0 to 1.
        low_confidence: Share of images below the model's quantile.
        outliers: Share of images beyond the model's quantile of distance.
        terms: The most telling metadata values.
        cover: Alternative text of its cover picture; '' where it has none.
    """

    cluster: int
    name: str
    suggested: str
    images: int
    share: float
    confidence: float
    low_confidence: float
    outliers: float
    terms: Sequence[Term] = ()
    cover: str = ""
    by_words: bool = False

    @property
    def title(self) -> str:
        """What it is called: a given name, else a suggested one, else its number."""
        return self.name or self.suggested or self.numbered

    @property
    def numbered(self) -> str:
        """`Cluster 3`, or what −1 stands for."""
        return f"Cluster {self.cluster}" if self.cluster >= 0 else "Noise"


@dataclass(frozen=True)
class Kin:
    """A cluster of the parent run that shares members with one of this run."""

    cluster: int
    name: str
    kind: str
    overlap: int


@dataclass(frozen=True)
class CardGallery:
    """A titled row of pictures, and what it shows."""

    key: str
    title: str
    text: str
    pictures: Sequence[ReportPicture]


@dataclass(frozen=True)
class Card:
    """All about one cluster."""

    entry: ClusterEntry
    galleries: Sequence[CardGallery]
    duplicates: Sequence[Sequence[ReportPicture]]
    duplicate_groups: int
    duplicate_images: int
    duplicates_sought: int
    duplicate_distance: float
    terms: Sequence[Term]
    words: Sequence[Word]
    fitting: Sequence[FittingWord]
    parents: Sequence[Kin]
    neighbours: Sequence[tuple[int, str, int]]
    """Number, title and images of the clusters that are next best for its images."""
    histogram: Sequence[int]
    """Images by confidence, in equal steps from 0."""
    histogram_end: float
    """Where the last step ends; the same for all clusters of a run."""
    previous: ClusterEntry | None = None
    following: ClusterEntry | None = None


@dataclass(frozen=True)
class Crosstab:
    """Images by cluster and metadata value.

    Attributes:
        values: The most frequent ones; the last may sum up the rest.
        clusters: Number and title, a row each.
        counts: A row a cluster, a number a value.
        others: How many values the last one sums up.
    """

    column: str
    values: Sequence[str]
    clusters: Sequence[tuple[int, str]]
    counts: Sequence[Sequence[int]]
    others: int = 0


@dataclass(frozen=True)
class RejectGroup:
    """Rejects of one reason."""

    reason: str
    advice: str
    count: int
    files: Sequence["RejectedFile"]


@dataclass(frozen=True)
class RejectedFile:
    """A file that could not be used; `picture` is what could be saved of it."""

    path: str
    place: str
    link: str
    stage: str
    detail: str
    content_id: str
    picture: Tile | None = None


@dataclass(frozen=True)
class RunLine:
    """A run of the archive, in the table of runs."""

    run_id: str
    made: str
    method: str
    k: int
    images: int
    shown: bool
    scan_id: int
    embedder_id: str
    metrics: Mapping[str, Any]
    """As the table `runs` has them."""
    figures: Sequence[str] = ()
    """Measures, as the table shows them."""


@dataclass(frozen=True)
class Curve:
    """A line of a chart: points of x and y."""

    title: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """A chart of one or several curves; `log` draws the upward axis by powers of ten."""

    title: str
    text: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    log: bool = False


@dataclass(frozen=True)
class Frame:
    """What every page of a report knows.

    Attributes:
        images: Distinct images, or faces of them.
        paths: Files that they stand for.
        members: What the clusters are of, in the plural: images or faces.
        clusters: Those with images, the largest first; noise last.
        colours: By cluster, its colour on light and on dark ground.
    """

    title: str
    archive_id: str
    run_id: str
    made: str
    images: int
    paths: int
    members: str
    clusters: Sequence[ClusterEntry]
    colours: Mapping[int, tuple[str, str]]
    rejects: int
