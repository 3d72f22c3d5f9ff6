"""Whether refinement made the clusters worse than the seeds it began from, judged without labels.

DEC raises the silhouette in its own space whatever it does to the clusters, so that says nothing;
what counts is whether clusters vanished, and how well the new ones separate the vectors that the
embedder made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PartitionQuality:
    """What the guard looks at in one clustering.

    Attributes:
        sizes: Points in each cluster, by cluster number; empty ones too.
        silhouette: In the embedder's space, −1 to 1; NaN where it is not defined.
    """

    sizes: Sequence[int]
    silhouette: float


@dataclass(frozen=True)
class GuardVerdict:
    """Whether the refinement is kept, and why not, in words for a person.

    Attributes:
        keep_refinement: False: the seeds' clusters are the result.
        reasons: What refinement made worse; empty where it is kept.
    """

    keep_refinement: bool
    reasons: tuple[str, ...]


def guard(
    seeds: PartitionQuality,
    refined: PartitionQuality,
    *,
    silhouette_margin: float,
    swallowed_share: float = 0.1,
) -> GuardVerdict:
    """Judge a refinement against its seeds.

    It is refused where a cluster that had points has none, where one was swallowed, or where the
    silhouette fell by more than the margin.

    Args:
        seeds: The clusters that refinement began from, by cluster number.
        refined: The clusters it ended with, numbered alike.
        silhouette_margin: How far the silhouette may fall below the seeds', at least 0.
        swallowed_share: A cluster left with less than this share of its points at the seeds counts
            as swallowed, 0 to 1.

    Raises:
        ValueError: The two do not have the same clusters, or a setting is out of range.

    Example:
        >>> seeds = PartitionQuality(sizes=(50, 40, 10), silhouette=0.20)
        >>> refined = PartitionQuality(sizes=(52, 41, 7), silhouette=0.18)
        >>> guard(seeds, refined, silhouette_margin=0.05)
        GuardVerdict(keep_refinement=True, reasons=())
        >>> collapsed = PartitionQuality(sizes=(60, 40, 0), silhouette=0.18)
        >>> guard(seeds, collapsed, silhouette_margin=0.05).reasons
        ('cluster 2 lost all of its 10 points',)
    """
    if len(seeds.sizes) != len(refined.sizes):
        raise ValueError(
            f"expected the same number of clusters before and after refinement, got "
            f"{len(seeds.sizes)} and {len(refined.sizes)}; give empty clusters the size 0"
        )
    if silhouette_margin < 0:
        raise ValueError(f"silhouette_margin must be at least 0, got {silhouette_margin}")
    if not 0 <= swallowed_share <= 1:
        raise ValueError(f"swallowed_share must lie between 0 and 1, got {swallowed_share}")
    if sum(size > 0 for size in refined.sizes) < 2 <= sum(size > 0 for size in seeds.sizes):
        return GuardVerdict(False, ("all points fell into one cluster",))
    reasons = _lost_clusters(seeds.sizes, refined.sizes, swallowed_share)
    if math.isnan(refined.silhouette) and not math.isnan(seeds.silhouette):
        reasons.append("the refined clusters have no silhouette in the embedder's space")
    elif refined.silhouette < seeds.silhouette - silhouette_margin:
        reasons.append(
            f"the silhouette in the embedder's space fell from {seeds.silhouette:.3f} to "
            f"{refined.silhouette:.3f}, by more than {silhouette_margin:g}"
        )
    return GuardVerdict(not reasons, tuple(reasons))


def _lost_clusters(before: Sequence[int], after: Sequence[int], share: float) -> list[str]:
    reasons = []
    for cluster, (was, remains) in enumerate(zip(before, after, strict=True)):
        if was > 0 and remains == 0:
            reasons.append(f"cluster {cluster} lost all of its {was} points")
        elif remains < share * was:
            reasons.append(f"cluster {cluster} was swallowed: {remains} of {was} points remain")
    return reasons
