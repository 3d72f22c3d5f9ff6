"""A comparison's figures by method and number of clusters."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from artcluster.metrics.stability import mean_ari
from artcluster.stages.comparison.record import Comparison
from artcluster.stages.figures import mean_of
from artcluster.stages.trials.trial import clusters_of
from artcluster.store import Store

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
