"""A comparison's tables: DCEC-Paint's three, every figure by k, and the budgets."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from artcluster.report.findings import Table
from artcluster.stages.comparison.values import Row, Values, of_column
from artcluster.stages.figures import figure, share_of_largest, with_spread

_PAPER_NAMES = {
    "dcec": "Original",
    "dcec-noweights": "No-weights",
    "dcec-paint": "DCEC-Paint",
    "cae-kmeans": "CAE+k-means",
    "cae-dec": "DEC",
}
_PAPER_TABLES = (
    ("Table 1: performance of DCEC-Paint", ("dcec-paint",)),
    (
        "Table 2: effects of loss weights on cluster assignments",
        ("dcec", "dcec-noweights", "dcec-paint"),
    ),
    (
        "Table 3: comparison with other deep clustering methods",
        ("cae-kmeans", "cae-dec", "dcec-paint"),
    ),
)
_BY_K = (
    ("Silhouette, own space", "silhouette"),
    ("Silhouette, common space", "silhouette_common"),
    ("Calinski-Harabasz, own space", "calinski_harabasz"),
    ("Calinski-Harabasz, common space", "calinski_harabasz_common"),
    ("Clusters with a member", "non_empty"),
    ("Iterations", "iterations"),
    ("Seconds, without networks that fits share", "seconds"),
)


def paper_tables(values: Values) -> list[Table]:
    """Return DCEC-Paint's tables, as far as their methods were compared.

    The index is divided by its largest value over all methods and k of the tables.
    """
    shown = [(title, names) for title, names in _PAPER_TABLES if set(names) & set(values.names)]
    pairs = [(name, k) for name in _PAPER_NAMES if name in values.names for k in values.ks]
    chs = [values.mean(of_column("calinski_harabasz"), name, k) for name, k in pairs]
    share = dict(zip(pairs, share_of_largest(chs), strict=True))
    tables = []
    for title, names in shown:
        mine = [name for name in names if name in values.names]
        columns, rows = ["k"], [[str(k)] for k in values.ks]
        for name in mine:
            prefix = "" if len(names) == 1 else f"{_PAPER_NAMES[name]} "
            columns += [f"{prefix}ss", f"{prefix}chs"]
            for row, k in zip(rows, values.ks, strict=True):
                row += [_four(values.mean(of_column("silhouette"), name, k)), _four(share[name, k])]
        tables.append(Table(title, columns, rows))
    return tables


def every_figure(values: Values) -> list[Table]:
    """Return a table a measure, by k and method, with means and spreads over seeds."""
    tables = [_by_k(values, title, _spread_of(column)) for title, column in _BY_K]
    for label in values.labels:
        title = f"{label}: accuracy / NMI / ARI (clusters with a labelled member)"
        tables.append(_by_k(values, title, _agreement(label)))
    if len(values.comparison.seeds) > 1:
        rows = [
            [str(k), *(figure(values.stability(name, k)) for name in values.names)]
            for k in values.ks
        ]
        tables.append(Table("Stability over seeds", ["k", *values.names], rows, folded=True))
    return tables


def budgets(values: Values) -> Table:
    """Return each method's vectors and what bounded its work."""
    rows = []
    for name in values.names:
        trials = [values.trial(row) for row in values.rows(name)]
        shared: dict[str, float] = {}
        for trial in trials:
            shared |= json.loads(trial["shared_seconds"])
        rows.append(
            [
                name,
                trials[0]["embedder_id"],
                _budget(trials[0]["method"], json.loads(trials[0]["settings"])),
                ", ".join(f"{stage} {spent:.0f} s" for stage, spent in shared.items()) or "–",
            ]
        )
    return Table(
        "Vectors and budgets",
        ["method", "vectors", "budget", "shared, once a seed"],
        rows,
        text="Networks that a method trains are trained once for all methods and k, and their time "
        "is not in the fits’ seconds.",
    )


def _by_k(values: Values, title: str, cell: Callable[[Sequence[Row]], str]) -> Table:
    rows = [[str(k), *(cell(values.rows(name, k)) for name in values.names)] for k in values.ks]
    return Table(title, ["k", *values.names], rows, folded=True)


def _spread_of(column: str) -> Callable[[Sequence[Row]], str]:
    return lambda rows: with_spread([row[column] for row in rows])


def _agreement(label: str) -> Callable[[Sequence[Row]], str]:
    def cell(rows: Sequence[Row]) -> str:
        told = [
            with_spread([row["labels"][label][measure] for row in rows])
            for measure in ("accuracy", "nmi", "ari")
        ]
        clusters = with_spread([row["labels"][label]["non_empty"] for row in rows])
        return f"{' / '.join(told)} ({clusters})"

    return cell


def _budget(method: str, settings: Mapping[str, Any]) -> str:
    """Return the settings that bound a method's work."""
    told = []
    if method in ("delius", "ae-kmeans"):
        pretrain = settings["pretrain"]
        least = f", at least {pretrain['min_steps']:,} steps" if pretrain["min_steps"] else ""
        told.append(f"{pretrain['epochs']:,} epochs of pre-training{least}")
    pixels = method.startswith("dcec") or method in ("cae-dec", "genre-dec")
    refinement = "dec" if method == "delius" else "dcec" if pixels else None
    if refinement is not None:
        bounds = settings[refinement]
        told.append(
            f"at most {bounds['max_iterations']:,} iterations, batches of {bounds['batch_size']}"
        )
    told.append(f"{settings['restarts']} restarts of k-means")
    if settings["scaling"] == "unit":
        told.append("unit length")
    return ", ".join(told)


def _four(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
