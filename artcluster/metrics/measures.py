"""Every measure of a clustering: its name, its meaning, how it is written and computed.

To add one, write its function and a record here. `artcluster run`, reports, the list of runs,
comparisons and sweeps iterate these records. What compares clusters with a label goes into
`LABEL_MEASURES`, everything else into `MEASURES`; a new measure of trials also needs a column in
`artcluster/schema/experiments.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from artcluster.metrics.number_format import (
    decimal,
    fraction,
    largest_of,
    mean_of,
    megabytes,
    percent,
    spread_of,
)

if TYPE_CHECKING:
    import numpy as np

    from artcluster.metrics.agreement import LabelAgreement
    from artcluster.metrics.dispersion import Dispersion

SPACES = {
    "_embedder": ("embedder’s space", "In the embedder’s space."),
    "": ("own space", "In the method’s own space, which refinement optimises."),
    "_pretrained": ("pre-trained space", "In the space of the network before its refinement."),
    "_common": ("common space", "In the common space, where methods compare."),
}
"""Spaces that clusters are measured in, by the end of a measure's name: title and meaning."""


@dataclass(frozen=True)
class Measure:
    """A measure.

    Attributes:
        name: Its key in `runs.metrics`, or its column in `trials`.
        title: What people call it, to stand within a sentence.
        better: `higher` or `lower`; '' where neither is.
        function: Computes it from `ClusteredPoints`, or from a `LabelAgreement` where it compares
            with a label; None where it comes with the fit or the assignment.
        space: A key of `SPACES`; None where it is not measured in a space.
        pooled: Sums up the values of several fits.
        headline: Whether short tables have it, too.
        curve: Whether it is drawn over the number of clusters.
        log: Whether its curve is drawn by powers of ten.
    """

    name: str
    title: str
    meaning: str
    better: str = ""
    function: Callable[[Any], float] | None = None
    space: str | None = None
    format: Callable[[float], str] = decimal
    pooled: Callable[[Sequence[float | None]], float | None] = mean_of
    headline: bool = False
    curve: bool = True
    log: bool = False

    @property
    def label(self) -> str:
        """The title with its space."""
        return self.title if self.space is None else f"{self.title}, {SPACES[self.space][0]}"

    @property
    def heading(self) -> str:
        """The title with its space, to stand alone."""
        return self.label[:1].upper() + self.label[1:]

    def text(self, value: float | None) -> str:
        """Write a value; a dash for none."""
        return "–" if value is None else self.format(value)

    def with_spread(self, values: Sequence[float | None]) -> str:
        """Write the mean and, of several values, their standard deviation.

        >>> LABEL_MEASURES["nmi"].with_spread([0.25, 0.35])
        '0.300 ± 0.0707'
        """
        spread = spread_of(values)
        return self.text(mean_of(values)) + ("" if spread is None else f" ± {self.format(spread)}")


@dataclass(frozen=True, eq=False)
class ClusteredPoints:
    """Points of one space with their clusters: what `MEASURES` are computed from.

    Attributes:
        clusters_N: Row of each point's cluster, −1 for noise.
        centroids_KD: The clusters' centroids; None for their means.
        max_points: The silhouette is exact up to this many points.
        seed: Chooses the sample of more.
    """

    x_ND: np.ndarray
    clusters_N: np.ndarray
    centroids_KD: np.ndarray | None = None
    max_points: int = 20_000
    seed: int = 0

    @cached_property
    def silhouette(self) -> float:
        """The mean silhouette."""
        from artcluster.metrics.silhouette import silhouette

        return silhouette(self.x_ND, self.clusters_N, limit=self.max_points, seed=self.seed)

    @cached_property
    def dispersion(self) -> Dispersion:
        """The spread within and between the clusters, about their means."""
        from artcluster.metrics.dispersion import dispersion

        return dispersion(self.x_ND, self.clusters_N)

    @cached_property
    def inertia(self) -> float:
        """The sum of squared distances to the centroids."""
        from artcluster.metrics.dispersion import inertia

        if self.centroids_KD is None:
            return self.dispersion.inertia
        return inertia(self.x_ND, self.clusters_N, self.centroids_KD)


def _in_spaces(measure: Measure, *spaces: str) -> Iterator[Measure]:
    """Yield a measure once for each space, its key and its meaning with that of the space."""
    for space in spaces:
        name, meaning = measure.name + space, f"{measure.meaning} {SPACES[space][1]}"
        yield replace(measure, name=name, meaning=meaning, space=space)


MEASURES = {
    measure.name: measure
    for measure in (
        *_in_spaces(
            Measure(
                "silhouette",
                "silhouette",
                "How well separated the clusters are: 1 = well separated, 0 = overlapping.",
                "higher",
                lambda points: points.silhouette,
                format=fraction,
                headline=True,
            ),
            *SPACES,
        ),
        *_in_spaces(
            Measure(
                "calinski_harabasz",
                "Calinski-Harabasz index",
                "Spread between the clusters over the spread within them; comparable on the same "
                "images only.",
                "higher",
                lambda points: points.dispersion.calinski_harabasz,
                log=True,
            ),
            *SPACES,
        ),
        *_in_spaces(
            Measure(
                "inertia",
                "inertia",
                "Sum of squared distances to the centroids: look for the bend of its curve (the "
                "elbow), and compare it in one space only.",
                function=lambda points: points.inertia,
            ),
            "",
            "_common",
        ),
        Measure(
            "mean_confidence",
            "mean confidence",
            "Mean membership in the assigned cluster, 0 to 1. Not comparable across methods.",
            "higher",
            format=fraction,
        ),
        Measure(
            "non_empty",
            "clusters with a member",
            "Fewer than requested where clusters collapsed.",
            "higher",
        ),
        Measure(
            "kept_share",
            "clusters kept",
            "Share of the requested clusters that have a member.",
            format=percent,
            headline=True,
            curve=False,
        ),
        Measure(
            "noise_share", "noise", "Share of images in no cluster.", format=percent, curve=False
        ),
        Measure(
            "stability",
            "stability",
            "Mean adjusted Rand index between fits on resamples, or between seeds; 1 = the same "
            "clusters every time.",
            "higher",
            format=fraction,
            headline=True,
        ),
        Measure(
            "iterations",
            "iterations",
            "Of the refinement, or of k-means; a budget may have ended it earlier.",
            headline=True,
            log=True,
        ),
        Measure(
            "seconds",
            "time per fit (s)",
            "Without networks that several fits share.",
            "lower",
            headline=True,
        ),
        Measure(
            "peak_bytes",
            "peak memory",
            "Of the whole process while it fitted, libraries included.",
            "lower",
            format=megabytes,
            pooled=largest_of,
            headline=True,
            curve=False,
        ),
    )
}
"""Measures that need no labels, by name."""

LABEL_MEASURES = {
    measure.name: measure
    for measure in (
        Measure(
            "accuracy",
            "accuracy",
            "Share of images with the right label under the best one-to-one mapping of clusters "
            "to labels. High wherever one label is frequent: read it with NMI.",
            "higher",
            lambda agreement: agreement.accuracy,
            format=fraction,
        ),
        Measure(
            "nmi",
            "NMI",
            "Normalised mutual information of clusters and labels: 1 = they determine each other, "
            "0 = they are independent.",
            "higher",
            lambda agreement: agreement.nmi,
            format=fraction,
            headline=True,
        ),
        Measure(
            "ari",
            "ARI",
            "Adjusted Rand index, agreement on pairs of images: 1 = identical, 0 = by chance.",
            "higher",
            lambda agreement: agreement.ari,
            format=fraction,
            headline=True,
        ),
    )
}
"""Measures that compare clusters with a label, by name. Labels are never used in training."""


def measure_points(points: Mapping[str, ClusteredPoints]) -> dict[str, float | None]:
    """Compute the measures of each space that is given; None where one is not defined.

    >>> import numpy as np
    >>> x = np.array([[0.0], [2.0], [10.0], [12.0]])
    >>> points = ClusteredPoints(x, np.array([0, 0, 1, 1]))
    >>> measure_points({"": points})["calinski_harabasz"]
    50.0
    """
    return {
        measure.name: defined(measure.function(points[measure.space]))
        for measure in MEASURES.values()
        if measure.function is not None and measure.space is not None and measure.space in points
    }


def measure_agreement(agreement: LabelAgreement) -> dict[str, Any]:
    """Compute every label measure, and count what it is over.

    >>> import numpy as np
    >>> from artcluster.metrics.agreement import label_agreement
    >>> measure_agreement(label_agreement(np.array([0, 0, 1]), ["a", "a", None]))["labelled_count"]
    2
    """
    values = {
        measure.name: defined(measure.function(agreement))
        for measure in LABEL_MEASURES.values()
        if measure.function is not None
    }
    return {
        **values,
        "non_empty": agreement.non_empty,
        "labelled_count": agreement.labelled_count,
    }


def label_table(labels: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return headings and a row per label of what `measure_agreement` found."""
    columns = ["label", *(measure.title for measure in LABEL_MEASURES.values())]
    rows = [
        [
            label,
            *(measure.text(values.get(name)) for name, measure in LABEL_MEASURES.items()),
            f"{values['non_empty']:,}",
            f"{values['labelled_count']:,}",
        ]
        for label, values in labels.items()
    ]
    return [*columns, "non-empty clusters", "labelled"], rows


def defined(value: float) -> float | None:
    """Return a measure as JSON has it: None where it is not defined."""
    return float(value) if math.isfinite(value) else None
