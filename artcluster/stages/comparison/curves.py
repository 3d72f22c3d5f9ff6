"""A comparison over the number of clusters: DELIUS' curves (Figure 4) and maps (Figure 3)."""

import numpy as np

from artcluster.report.content import Chart, Curve
from artcluster.report.findings import MAP_SIDE, Maps, Scatter
from artcluster.stages.comparison.values import Value, Values, of_column, of_label
from artcluster.stages.trials.trial import map_of


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
