"""A comparison's tables: DCEC-Paint's three, every figure by k, and the budgets."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from artcluster.metrics.choosing_k import mean_ari
from artcluster.pages.content import Chart, Curve
from artcluster.pages.findings import MAP_SIDE, Maps, Scatter, Table
from artcluster.store import Store
from artcluster.workflows.clustering.methods import find_method
from artcluster.workflows.experiments.compare import Comparison
from artcluster.workflows.experiments.findings_files import (
    figure,
    mean_of,
    share_of_largest,
    with_spread,
)
from artcluster.workflows.experiments.trials import clusters_of, map_of

Row = Mapping[str, Any]

Value = Callable[[Row], float | None]

"""Takes one figure out of a row."""


class Values:
    """Looks figures up.

    Args:
        store: Where the trials lie.
        comparison: The comparison.
    """

    def __init__(self, store: Store, comparison: Comparison) -> None:
        self.store = store
        self.comparison = comparison
        self.names = comparison.names
        self.ks = comparison.ks
        self.labels = comparison.labels
        self._rows: dict[tuple[str, int], list[Row]] = {}
        for row in comparison.rows:
            self._rows.setdefault((row["name"], row["k"]), []).append(row)
        self._stability = {
            (name, k): self._mean_ari(name, k) for name in self.names for k in self.ks
        }

    def rows(self, name: str, k: int | None = None) -> Sequence[Row]:
        """Return a method's rows, a row a seed; at one k or at all."""
        ks = self.ks if k is None else [k]
        return [row for each in ks for row in self._rows.get((name, each), [])]

    def mean(self, value: Value, name: str, k: int | None = None) -> float | None:
        """Return a figure's mean over seeds, and over k where none is given."""
        return mean_of([value(row) for row in self.rows(name, k)])

    def stability(self, name: str, k: int | None = None) -> float | None:
        """Return the mean ARI between seeds; None for a single one."""
        return mean_of([self._stability[name, each] for each in (self.ks if k is None else [k])])

    def trial(self, row: Row) -> Row:
        """Return the trial of a row."""
        return self.comparison.trials[row["trial_id"]]

    def _mean_ari(self, name: str, k: int) -> float | None:
        rows = self.rows(name, k)
        if len(rows) < 2:
            return None
        ari = mean_ari([clusters_of(self.store, self.trial(row)) for row in rows])
        return None if math.isnan(ari) else ari


def of_column(column: str) -> Value:
    """Return what takes a column's value."""
    return lambda row: row[column]


def of_label(label: str, measure: str) -> Value:
    """Return what takes a measure of a label."""
    return lambda row: row["labels"][label][measure]


def curves(values: Values) -> list[Chart]:
    """Return silhouette, Calinski-Harabasz, accuracy, NMI and iterations over k."""
    charts = [
        _chart(
            values,
            "Silhouette coefficient, own space",
            of_column("silhouette"),
            "Near 1 where an objective makes the clusters: no proof that they are good.",
        ),
        _chart(
            values,
            "Silhouette coefficient, common space",
            of_column("silhouette_common"),
            f"In the space of {values.comparison.common}.",
        ),
        _chart(
            values,
            "Calinski-Harabasz index, own space",
            of_column("calinski_harabasz"),
            "By powers of ten, as in DELIUS.",
            log=True,
        ),
    ]
    for label in values.labels:
        charts += [
            _chart(
                values,
                f"Accuracy by {label}",
                of_label(label, "accuracy"),
                "Under the best one-to-one mapping. Read it with NMI.",
            ),
            _chart(values, f"NMI by {label}", of_label(label, "nmi"), "1 is perfect agreement."),
        ]
    charts += [
        _chart(
            values,
            "Clusters with a member",
            of_column("non_empty"),
            "Below the number asked for, clusters collapsed.",
        ),
        _chart(
            values,
            "Iterations to converge",
            of_column("iterations"),
            "Of the refinement, or of k-means; a budget may have ended it before.",
            log=True,
        ),
    ]
    return [chart for chart in charts if chart.curves]


def maps(values: Values) -> Maps:
    """Return every method at every k as a small map of the same images, of the first seed."""
    seed = values.comparison.seeds[0]
    cells = {}
    for row, name in enumerate(values.names):
        for column, k in enumerate(values.ks):
            mine = next((each for each in values.rows(name, k) if each["seed"] == seed), None)
            if mine is not None:
                cells[row, column] = _scatter(*map_of(values.store, values.trial(mine)))
    points = max((len(scatter.x) for scatter in cells.values()), default=0)
    return Maps(
        values.names,
        [f"k = {k}" for k in values.ks],
        cells,
        f"The same {points:,} images, laid out in each method’s own space and coloured by "
        f"cluster, seed {seed}: rows are methods, columns k.",
    )


def _chart(values: Values, title: str, value: Value, text: str, *, log: bool = False) -> Chart:
    drawn = []
    for name in values.names:
        points = [
            (float(k), float(mean))
            for k in values.ks
            if (mean := values.mean(value, name, k)) is not None and (mean > 0 or not log)
        ]
        if points:
            drawn.append(Curve(name, points))
    return Chart(title, text, "clusters", title, drawn, log=log)


def _scatter(places_M2: np.ndarray, clusters_M: np.ndarray) -> Scatter:
    middle = (places_M2.min(0) + places_M2.max(0)) / 2
    span = max(float(np.ptp(places_M2, axis=0).max()), 1e-9)
    scaled = np.round(((places_M2 - middle) / span + 0.5) * MAP_SIDE).astype(int)
    return Scatter(scaled[:, 0].tolist(), (MAP_SIDE - scaled[:, 1]).tolist(), clusters_M.tolist())


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
    decides, told = find_method(method).settings, []
    if "pretrain" in decides:
        pretrain = settings["pretrain"]
        least = f", at least {pretrain['min_steps']:,} steps" if pretrain["min_steps"] else ""
        told.append(f"{pretrain['epochs']:,} epochs of pre-training{least}")
    for refinement in {"dec", "dcec"} & {*decides}:
        bounds = settings[refinement]
        told.append(
            f"at most {bounds['max_iterations']:,} iterations, batches of {bounds['batch_size']}"
        )
    if "restarts" in decides:
        told.append(f"{settings['restarts']} restarts of k-means")
    if "scaling" in decides and settings["scaling"] == "unit":
        told.append("unit length")
    return ", ".join(told)


def _four(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
