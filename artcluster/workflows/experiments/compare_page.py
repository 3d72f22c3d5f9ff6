"""What came out of a comparison: the page, and the sentences that follow from it."""

from collections.abc import Sequence

from artcluster.pages.findings import Findings, Section
from artcluster.store import Store
from artcluster.workflows.experiments.compare import MethodComparison
from artcluster.workflows.experiments.compare_tables import (
    ComparedFits,
    Figure,
    budgets,
    curves,
    every_figure,
    maps,
    overview,
    paper_tables,
)


def sentences(fits: ComparedFits) -> list[str]:
    """Return who is best by what, whether DELIUS beats its rivals, and what collapsed."""
    lines = [
        _best(fits, figure)
        for figure in fits.figures
        if figure.measure.headline and figure.measure.better == "higher"
    ]
    lines += _against(fits, "delius", ("ae-kmeans", "pca-kmeans"))
    rows = fits.comparison.rows
    judged = [row["verdict"] for row in rows if row["verdict"]]
    if judged:
        discarded = sum(verdict.startswith("discarded") for verdict in judged)
        lines.append(
            f"Refinement was discarded, and the seeds’ clusters kept, in {discarded} of "
            f"{len(judged)} fits that refine."
        )
    collapsed = sum(row["non_empty"] < row["k"] for row in rows)
    return [*filter(None, lines), f"Clusters collapsed in {collapsed} of {len(rows)} fits."]


def _best(fits: ComparedFits, figure: Figure) -> str:
    values = {name: x for name in fits.names if (x := fits.pooled(figure, name)) is not None}
    if not values:
        return ""
    shown = [
        f"{name} ({figure.measure.text(values[name])})"
        for name in sorted(values, key=lambda name: -values[name])[:2]
    ]
    return f"Highest {figure.title}: {'; next '.join(shown)}."


def _against(fits: ComparedFits, name: str, others: Sequence[str]) -> list[str]:
    lines = []
    for other in others:
        if name not in fits.names or other not in fits.names:
            continue
        counts = []
        for column, where in (
            ("silhouette", "its own space"),
            ("silhouette_common", "the common space"),
        ):
            wins = 0
            for k in fits.ks:
                own = fits.mean(column, name, k)
                its = fits.mean(column, other, k)
                wins += own is not None and its is not None and own > its
            counts.append(f"at {wins} of {len(fits.ks)} k in {where}")
        lines.append(f"{name} has a higher silhouette than {other} {' and '.join(counts)}.")
    return lines


def comparison_findings(store: Store, comparison: MethodComparison) -> Findings:
    """Return what a comparison found, for a page."""
    fits = ComparedFits(store, comparison)
    tables = paper_tables(fits)
    sections = [
        Section("What came out", "", [overview(fits)], sentences(fits)),
        Section(
            "Over the number of clusters",
            "The layout of DELIUS’ Figure 4. Means over seeds.",
            curves(fits),
        ),
        Section("Maps", "The layout of DELIUS’ Figure 3.", [maps(fits)]),
        Section(
            "DCEC-Paint’s tables",
            "ss is the silhouette, chs the Calinski-Harabasz index divided by its largest value in "
            "these tables; both in each method’s own space, as in the paper.",
            tables,
        ),
        Section("All figures", "Means and spreads over seeds.", every_figure(fits)),
        Section("Details", "", [budgets(fits)], _made(comparison)),
    ]
    return Findings(
        title=f"Methods compared on {comparison.archive_id}",
        lead=_lead(comparison),
        sections=[section for section in sections if section.blocks],
        foot=f"{comparison.archive_id} · comparison {comparison.comparison_id} · common space: "
        f"{comparison.common} · {comparison.made} UTC",
    )


def _lead(comparison: MethodComparison) -> str:
    subset = f", where {comparison.where}" if comparison.where else ""
    if comparison.points < comparison.sampled_from:
        subset = f" (a sample of {comparison.sampled_from:,}){subset}"
    seeds = f"{len(comparison.seeds)} seeds" if len(comparison.seeds) > 1 else "one seed"
    return (
        f"{len(comparison.names)} methods on {comparison.points:,} images{subset}, "
        f"k = {_range(comparison.ks)}, {seeds}."
    )


def _made(comparison: MethodComparison) -> list[str]:
    lines = ["Every method saw the same images; labels were used for evaluation only."]
    for label in comparison.labels:
        most = max(row["labels"][label]["labelled_count"] for row in comparison.rows)
        lines.append(f"{most:,} of {comparison.points:,} images have a label of {label}.")
    return lines


def _range(ks: Sequence[int]) -> str:
    """Return numbers in words.

    >>> _range([2, 3, 4]), _range([2, 4, 8])
    ('2 to 4', '2, 4, 8')
    """
    whole = len(ks) > 2 and list(ks) == list(range(ks[0], ks[-1] + 1))
    return f"{ks[0]} to {ks[-1]}" if whole else ", ".join(map(str, ks))
