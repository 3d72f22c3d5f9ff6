"""What the verbs tell their caller: plain data, for people (`cli`) and machines (`--json`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ArchiveCounts:
    """What a listing found, against what the store knew of the archive before."""

    listed: int
    listed_bytes: int
    new: int
    changed: int
    unembedded: int
    """Known paths without a vector."""
    unchanged: int
    removed: int
    todo: int
    todo_bytes: int
    left_out: Mapping[str, int]
    """Files that were not listed, by reason."""
    expected_seconds: float
    """Time to embed, at the rate of the last job or as measured."""
    expected_from: str
    """What the estimate is based on."""


def left_out_words(skipped: Mapping[str, int]) -> str:
    """Return how many files a listing left out, by reason, and how many did not answer.

    >>> left_out_words({"hidden": 2, "missing": 1200, "no-answer": 1})
    'left out 1,202: missing 1,200, hidden 2; 1 did not answer'
    """
    # Commands print their help without what this takes to import.
    from artcluster.archive.entries import NO_ANSWER

    ordered = sorted(skipped.items(), key=lambda item: (-item[1], item[0]))
    reasons = [(reason, count) for reason, count in ordered if reason != NO_ANSWER]
    words = "none left out"
    if reasons:
        words = f"left out {sum(count for _, count in reasons):,}: "
        words += ", ".join(f"{reason} {count:,}" for reason, count in reasons)
    silent = skipped.get(NO_ANSWER, 0)
    return f"{words}; {silent:,} did not answer" if silent else words


@dataclass(frozen=True)
class EmbedSummary:
    """What an embedding job did, and where its archive stands now."""

    archive_id: str
    scan_id: int
    embedder_id: str
    images: int
    """Paths of the archive whose picture has a vector."""
    rejects: Mapping[str, int]
    """Paths rejected now, by reason."""
    embedded: int
    """Distinct contents that this job called the embedder for."""
    adopted: int
    """Parts that an earlier, killed job had finished but not committed."""
    removed: int
    """Paths gone since the scan before."""
    resumed: bool
    """Whether the job went on with a stored plan instead of listing."""
    seconds: Mapping[str, float]
    faces: int | None = None
    """Faces in the archive's pictures; None where they were not looked for."""
    unread: int = 0
    """Paths that could not be read when they were tried last; the next job tries again."""
    unread_examples: tuple[tuple[str, str], ...] = ()
    """Some of them, each with the reason."""
    files: int = 0
    """Paths of the archive in all."""
    damaged: int = 0
    """Usable pictures of which a little is missing; they have vectors."""

    @property
    def reject_share(self) -> float:
        """Share of the archive's paths that are rejected, 0 to 1."""
        rejected = sum(self.rejects.values())
        return rejected / max(rejected + self.images, 1)

    @property
    def unread_share(self) -> float:
        """Share of the archive's paths that could not be read, 0 to 1."""
        return self.unread / max(self.files, 1)


@dataclass(frozen=True)
class ClusterSummary:
    """A finished run."""

    run_id: str
    model_id: str
    archive_id: str
    method: str
    k: int
    images: int
    contents: int
    sizes: Mapping[int, int]
    """Distinct contents a cluster."""
    metrics: Mapping[str, Any]
    verdict: str
    """What the guard said of the refinement; '' for methods without one."""
    already: bool
    """Whether the run existed before and nothing was computed."""
    merges: tuple[tuple[int, int, float], ...] = ()
    """How the clusters of a hierarchy merge on into one: two numbers and a height, from the lowest
    up; a merged cluster goes by the first of the two."""
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def noun(self) -> str:
        """What was clustered, in the plural."""
        return "faces" if self.method.startswith("faces-") else "images"


@dataclass(frozen=True)
class NoClusters:
    """There was too little to group, and no run was made."""

    reason: str
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AssignedImage:
    """The cluster of one picture by a stored model, or why it has none."""

    path: str
    cluster: int | None
    confidence: float | None = None
    margin: float | None = None
    second_cluster: int | None = None
    remarks: tuple[str, ...] = ()
    """`noise`, `outlier`, `low confidence`."""
    reason: str = ""
    """Why a rejected picture has no cluster."""
