"""What came out of a comparison: a row a method, and the sentences that follow from it."""

from collections.abc import Sequence

from artcluster.pages.findings import Findings, Section, Table
from artcluster.store import Store
from artcluster.workflows.experiments.compare import Comparison
from artcluster.workflows.experiments.compare_tables import (
    Value,
    Values,
    budgets,
    curves,
    every_figure,
    maps,
    of_column,
    of_label,
    paper_tables,
)
from artcluster.workflows.experiments.findings_files import bytes_text, figure, mean_of


def overview(values: Values) -> Table:
    """Return a row a method, each figure the mean over k and seeds."""
    columns = ["method", "silhouette, own space", "silhouette, common space"]
    measured: list[Value] = [of_column("silhouette"), of_column("silhouette_common")]
    for label in values.labels:
        columns += [f"accuracy, {label}", f"NMI, {label}", f"ARI, {label}"]
        measured += [of_label(label, measure) for measure in ("accuracy", "nmi", "ari")]
    means = [[values.mean(value, name) for value in measured] for name in values.names]
    best = set()
    for column in range(1, len(measured)):
        # In its own space a method is judged by its own objective: nobody wins there.
        known = [(mean, n) for n, row in enumerate(means) if (mean := row[column]) is not None]
        if known:
            best.add((max(known)[1], column + 1))
    columns += ["clusters kept", "stability", "iterations", "seconds", "peak memory"]
    table = []
    for name, row in zip(values.names, means, strict=True):
        mine = values.rows(name)
        kept = mean_of([min(1.0, each["non_empty"] / each["k"]) for each in mine])
        peaks = [each["peak_bytes"] for each in mine if each["peak_bytes"] is not None]
        table.append(
            [
                name,
                *map(figure, row),
                "–" if kept is None else f"{kept:.0%}",
                figure(values.stability(name)),
                figure(values.mean(of_column("iterations"), name)),
                figure(values.mean(of_column("seconds"), name)),
                bytes_text(max(peaks, default=None)),
            ]
        )
    return Table(
        "Means over all k and seeds",
        columns,
        table,
        frozenset(best),
        f"The common space is that of the vectors of {values.comparison.common}: the only one "
        "where silhouettes of different methods compare. Accuracy rewards collapse where a label "
        "is frequent: read it beside NMI and the share of clusters that kept a member. Stability "
        "is the mean ARI between seeds.",
    )


def sentences(values: Values) -> list[str]:
    """Return who wins by what, whether DELIUS beats its rivals, and what collapsed."""
    told = [
        _best(values, of_column("silhouette"), "Highest silhouette in the method’s own space"),
        _best(values, of_column("silhouette_common"), "Highest silhouette in the common space"),
    ]
    for label in values.labels:
        told.append(_best(values, of_label(label, "nmi"), f"Highest NMI with {label}"))
        told.append(_best(values, of_label(label, "ari"), f"Highest ARI with {label}"))
    stable = {name: ari for name in values.names if (ari := values.stability(name)) is not None}
    if stable:
        first = max(stable, key=lambda name: stable[name])
        told.append(f"Most stable over seeds: {first} (mean ARI {stable[first]:.3f}).")
    told += _against(values, "delius", ("ae-kmeans", "pca-kmeans"))
    rows = values.comparison.rows
    judged = [row["verdict"] for row in rows if row["verdict"]]
    if judged:
        discarded = sum(verdict.startswith("discarded") for verdict in judged)
        told.append(
            f"Refinement was discarded, and the seeds’ clusters kept, in {discarded} of "
            f"{len(judged)} fits that refine."
        )
    collapsed = sum(row["non_empty"] < row["k"] for row in rows)
    told.append(f"Clusters collapsed in {collapsed} of {len(rows)} fits.")
    return [sentence for sentence in told if sentence]


def _best(values: Values, value: Value, what: str) -> str:
    means = {name: mean for name in values.names if (mean := values.mean(value, name)) is not None}
    if not means:
        return ""
    first, *rest = sorted(means, key=lambda name: -means[name])
    second = f"; next {rest[0]} ({means[rest[0]]:.3f})" if rest else ""
    return f"{what}: {first} ({means[first]:.3f}){second}."


def _against(values: Values, name: str, others: Sequence[str]) -> list[str]:
    told = []
    for other in others:
        if name not in values.names or other not in values.names:
            continue
        counts = []
        for column, where in (
            ("silhouette", "its own space"),
            ("silhouette_common", "the common space"),
        ):
            wins = 0
            for k in values.ks:
                mine = values.mean(of_column(column), name, k)
                its = values.mean(of_column(column), other, k)
                wins += mine is not None and its is not None and mine > its
            counts.append(f"at {wins} of {len(values.ks)} k in {where}")
        told.append(f"{name} has a higher silhouette than {other} {' and '.join(counts)}.")
    return told


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
