"""A comparison as a page tells it."""

from collections.abc import Sequence

from artcluster.report.findings import Findings, Section
from artcluster.stages.comparison.curves import curves, maps
from artcluster.stages.comparison.record import Comparison
from artcluster.stages.comparison.summary import overview, sentences
from artcluster.stages.comparison.tables import budgets, every_figure, paper_tables
from artcluster.stages.comparison.values import Values
from artcluster.store import Store


def comparison_findings(store: Store, comparison: Comparison) -> Findings:
    """Return what a comparison found, for a page.

    Args:
        store: Where its trials lie.
        comparison: The comparison.
    """
    values = Values(store, comparison)
    tables = paper_tables(values)
    sections = [
        Section("What came out", "", [overview(values)], sentences(values)),
        Section(
            "Over the number of clusters",
            "The layout of DELIUS’ Figure 4: silhouette, Calinski-Harabasz index, accuracy by each "
            "label, iterations. Means over seeds.",
            curves(values),
        ),
        Section("Maps", "The layout of DELIUS’ Figure 3.", [maps(values)]),
        Section(
            "DCEC-Paint’s tables",
            "ss is the silhouette, chs the Calinski-Harabasz index divided by its largest value in "
            "these tables; both in each method’s own space, as in the paper.",
            tables,
        ),
        Section("All figures", "Means and spreads over seeds.", every_figure(values)),
        Section("How it was made", "", [budgets(values)], _made(comparison)),
    ]
    return Findings(
        title=f"Methods compared on {comparison.archive_id}",
        lead=_lead(comparison),
        sections=[section for section in sections if section.blocks],
        foot=f"{comparison.archive_id} · comparison {comparison.comparison_id} · common space: "
        f"{comparison.common} · {comparison.made} UTC",
    )


def _lead(comparison: Comparison) -> str:
    subset = f", where {comparison.where}" if comparison.where else ""
    if comparison.points < comparison.sampled_from:
        subset = f" (a sample of {comparison.sampled_from:,}){subset}"
    seeds = f"{len(comparison.seeds)} seeds" if len(comparison.seeds) > 1 else "one seed"
    return (
        f"{len(comparison.names)} methods on {comparison.points:,} images{subset}, "
        f"k = {_range(comparison.ks)}, {seeds}."
    )


def _made(comparison: Comparison) -> list[str]:
    told = ["Every method saw the same images; labels took part in measuring alone."]
    for label in comparison.labels:
        most = max(row["labels"][label]["labelled_count"] for row in comparison.rows)
        told.append(f"{most:,} of {comparison.points:,} images have a label of {label}.")
    told.append("Peak memory is that of the whole process while it fitted, libraries included.")
    return told


def _range(ks: Sequence[int]) -> str:
    """Return numbers in words.

    >>> _range([2, 3, 4]), _range([2, 4, 8])
    ('2 to 4', '2, 4, 8')
    """
    whole = len(ks) > 2 and list(ks) == list(range(ks[0], ks[-1] + 1))
    return f"{ks[0]} to {ks[-1]}" if whole else ", ".join(map(str, ks))
