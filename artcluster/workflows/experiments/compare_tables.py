"""The figures of a comparison: by method, by k, as curves, and as DCEC-Paint's tables."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from artcluster.metrics.choosing_k import mean_ari
from artcluster.metrics.measures import LABEL_MEASURES, MEASURES, Measure
from artcluster.metrics.number_format import shares_of_largest
from artcluster.pages.content import Chart
from artcluster.pages.findings import MAP_SIDE, FindingsTable, Maps, Scatter
from artcluster.store import Store
from artcluster.workflows.clustering.methods import find_method
from artcluster.workflows.experiments.compare import MethodComparison
from artcluster.workflows.experiments.measure_charts import (
    known_charts,
    measure_chart,
    with_kept_share,
)
from artcluster.workflows.experiments.trials import clusters_of, map_of

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A measure of a comparison's rows; of a label, where it compares with one."""

    measure: Measure
    label: str = ""

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.measure.title}, {self.label}" if self.label else self.measure.label

    def of(self, row: Row) -> float | None:
        """Take it out of a row; None where the row does not have it."""
        value: float | None = (row["labels"][self.label] if self.label else row).get(
            self.measure.name
        )
        return value


class ComparedFits:
    """The rows of a comparison by method and k."""

    def __init__(self, store: Store, comparison: MethodComparison) -> None:
        self.store = store
        self.comparison = comparison
        self.names = comparison.names
        self.ks = comparison.ks
        self.labels = comparison.labels
        self._rows: dict[tuple[str, int], list[Row]] = {}
        for name in self.names:
            for k in self.ks:
                rows = [each for each in comparison.rows if (each["name"], each["k"]) == (name, k)]
                stability = self._mean_ari(rows)
                self._rows[name, k] = [
                    with_kept_share(row) | {"stability": stability} for row in rows
                ]
        present = next(iter(self._rows.values()))[0]
        self.figures = [Figure(each) for name, each in MEASURES.items() if name in present]
        self.figures += [
            Figure(each, label) for label in self.labels for each in LABEL_MEASURES.values()
        ]

    def rows(self, name: str, k: int | None = None) -> Sequence[Row]:
        """Return a method's rows, one per seed; at one k or at all."""
        ks = self.ks if k is None else [k]
        return [row for each in ks for row in self._rows[name, each]]

    def pooled(self, figure: Figure, name: str, k: int | None = None) -> float | None:
        """Sum a figure up over seeds, and over k where none is given."""
        return figure.measure.pooled([figure.of(row) for row in self.rows(name, k)])

    def mean(self, column: str, name: str, k: int | None = None) -> float | None:
        """Return the mean of a measure without labels."""
        return self.pooled(Figure(MEASURES[column]), name, k)

    def trial(self, row: Row) -> Row:
        """Return the trial of a row."""
        return self.comparison.trials[row["trial_id"]]

    def _mean_ari(self, rows: Sequence[Row]) -> float | None:
        if len(rows) < 2:
            return None
        ari = mean_ari([clusters_of(self.store, self.trial(row)) for row in rows])
        return None if math.isnan(ari) else ari


def overview(fits: ComparedFits) -> FindingsTable:
    """Return a row per method, each figure over all k and seeds."""
    figures = [figure for figure in fits.figures if figure.label or figure.measure.headline]
    values = [[fits.pooled(figure, name) for figure in figures] for name in fits.names]
    best = set()
    for column, figure in enumerate(figures):
        # In its own space a method is judged by its own objective: nobody wins there.
        if figure.measure.better == "higher" and figure.measure.space != "":
            known = [value for row in values if (value := row[column]) is not None]
            best |= {
                (n, column + 1)
                for n, row in enumerate(values)
                if known and row[column] == max(known)
            }
    cells = [
        [name, *(figure.measure.text(value) for figure, value in zip(figures, row, strict=True))]
        for name, row in zip(fits.names, values, strict=True)
    ]
    return FindingsTable(
        "Means over all k and seeds",
        ["method", *(figure.title for figure in figures)],
        cells,
        frozenset(best),
        f"The common space is that of the vectors of {fits.comparison.common}: the only one "
        "where silhouettes of different methods compare. Accuracy rewards collapse where a label "
        "is frequent: read it beside NMI and the share of clusters that kept a member. Stability "
        "is the mean ARI between seeds; peak memory is the largest of all fits.",
    )


def curves(fits: ComparedFits) -> list[Chart]:
    """Return every figure over k, a curve per method."""
    return known_charts(
        measure_chart(
            figure.measure,
            {name: [(k, fits.pooled(figure, name, k)) for k in fits.ks] for name in fits.names},
            label=figure.label,
        )
        for figure in fits.figures
        if figure.measure.curve
    )


def maps(fits: ComparedFits) -> Maps:
    """Return every method at every k as a small map of the same images, of the first seed."""
    seed = fits.comparison.seeds[0]
    cells = {}
    for row, name in enumerate(fits.names):
        for column, k in enumerate(fits.ks):
            fit = next((each for each in fits.rows(name, k) if each["seed"] == seed), None)
            if fit is not None:
                cells[row, column] = _scatter(*map_of(fits.store, fits.trial(fit)))
    points = max((len(scatter.x) for scatter in cells.values()), default=0)
    return Maps(
        fits.names,
        [f"k = {k}" for k in fits.ks],
        cells,
        f"The same {points:,} images, laid out in each method’s own space and coloured by "
        f"cluster, seed {seed}: rows are methods, columns k.",
    )


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
    ("FindingsTable 1: performance of DCEC-Paint", ("dcec-paint",)),
    (
        "FindingsTable 2: effects of loss weights on cluster assignments",
        ("dcec", "dcec-noweights", "dcec-paint"),
    ),
    (
        "FindingsTable 3: comparison with other deep clustering methods",
        ("cae-kmeans", "cae-dec", "dcec-paint"),
    ),
)


def paper_tables(fits: ComparedFits) -> list[FindingsTable]:
    """Return DCEC-Paint's tables, as far as their methods were compared.

    The index is divided by its largest value over all methods and k of the tables.
    """
    shown = [(title, names) for title, names in _PAPER_TABLES if set(names) & set(fits.names)]
    pairs = [(name, k) for name in _PAPER_NAMES if name in fits.names for k in fits.ks]
    chs = [fits.mean("calinski_harabasz", name, k) for name, k in pairs]
    share = dict(zip(pairs, shares_of_largest(chs), strict=True))
    tables = []
    for title, names in shown:
        compared = [name for name in names if name in fits.names]
        columns, rows = ["k"], [[str(k)] for k in fits.ks]
        for name in compared:
            prefix = "" if len(names) == 1 else f"{_PAPER_NAMES[name]} "
            columns += [f"{prefix}ss", f"{prefix}chs"]
            for row, k in zip(rows, fits.ks, strict=True):
                row += [_four(fits.mean("silhouette", name, k)), _four(share[name, k])]
        tables.append(FindingsTable(title, columns, rows))
    return tables


def every_figure(fits: ComparedFits) -> list[FindingsTable]:
    """Return a table per measure and label, by k and method, with means and spreads over seeds."""

    def table(title: str, cell: Callable[[Sequence[Row]], str]) -> FindingsTable:
        rows = [[str(k), *(cell(fits.rows(name, k)) for name in fits.names)] for k in fits.ks]
        return FindingsTable(title, ["k", *fits.names], rows, folded=True)

    tables = [
        table(figure.measure.heading, partial(_with_spread, figure))
        for figure in fits.figures
        if not figure.label
    ]
    measures = " / ".join(measure.title for measure in LABEL_MEASURES.values())
    return tables + [
        table(f"{label}: {measures} (clusters with a labelled member)", partial(_agreement, label))
        for label in fits.labels
    ]


def _with_spread(figure: Figure, rows: Sequence[Row]) -> str:
    return figure.measure.with_spread([figure.of(row) for row in rows])


def _agreement(label: str, rows: Sequence[Row]) -> str:
    values = [_with_spread(Figure(measure, label), rows) for measure in LABEL_MEASURES.values()]
    clusters = MEASURES["non_empty"].with_spread(
        [row["labels"][label]["non_empty"] for row in rows]
    )
    return f"{' / '.join(values)} ({clusters})"


def budgets(fits: ComparedFits) -> FindingsTable:
    """Return each method's vectors and what bounded its work."""
    rows = []
    for name in fits.names:
        trials = [fits.trial(row) for row in fits.rows(name)]
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
    return FindingsTable(
        "Vectors and budgets",
        ["method", "vectors", "budget", "shared, once per seed"],
        rows,
        text="Networks that a method trains are trained once for all methods and k, and their time "
        "is not in the fits’ seconds.",
    )


def _budget(method: str, settings: Mapping[str, Any]) -> str:
    """Return the settings that bound a method's work."""
    decides, bounds_text = find_method(method).settings, []
    if "pretrain" in decides:
        pretrain = settings["pretrain"]
        least = f", at least {pretrain['min_steps']:,} steps" if pretrain["min_steps"] else ""
        bounds_text.append(f"{pretrain['epochs']:,} epochs of pre-training{least}")
    for refinement in {"dec", "dcec"} & {*decides}:
        bounds = settings[refinement]
        bounds_text.append(
            f"at most {bounds['max_iterations']:,} iterations, batches of {bounds['batch_size']}"
        )
    if "restarts" in decides:
        bounds_text.append(f"{settings['restarts']} restarts of k-means")
    if "scaling" in decides and settings["scaling"] == "unit":
        bounds_text.append("unit length")
    return ", ".join(bounds_text)


def _four(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
