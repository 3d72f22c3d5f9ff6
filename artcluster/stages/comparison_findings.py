"""What a comparison found: DELIUS' figures 3 and 4, DCEC-Paint's tables, and what came out."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from artcluster.metrics.stability import mean_ari
from artcluster.report.content import Chart, Curve
from artcluster.report.findings import MAP_SIDE, Block, Findings, Maps, Scatter, Section, Table
from artcluster.stages.compare import Comparison
from artcluster.stages.figures import (
    bytes_text,
    figure,
    mean_of,
    share_of_largest,
    with_spread,
)
from artcluster.stages.trials.trial import clusters_of, map_of
from artcluster.store import Store

Value = Callable[[Mapping[str, Any]], float | None]

_PAPER_NAMES = {
    "dcec": "Original",
    "dcec-noweights": "No-weights",
    "dcec-paint": "DCEC-Paint",
    "cae-kmeans": "CAE+k-means",
    "cae-dec": "DEC",
    "pca-kmeans": "PCA+k-means",
    "ae-kmeans": "AE+k-means",
    "delius": "DELIUS",
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


def comparison_findings(store: Store, comparison: Comparison) -> Findings:
    """Return what a comparison found, for a page.

    Args:
        store: Where its trials lie.
        comparison: The comparison.
    """
    return _Told(store, comparison).all()


class _Told:
    """Gathers the parts."""

    def __init__(self, store: Store, comparison: Comparison) -> None:
        self._store = store
        self._found = comparison
        self._stability = self._stabilities()

    def all(self) -> Findings:
        found = self._found
        subset = f", where {found.where}" if found.where else ""
        sample = (
            f" (a sample of {found.sampled_from:,})" if found.points < found.sampled_from else ""
        )
        sections = [
            Section("What came out", "", [self._overview()], self._findings()),
            Section(
                "Over the number of clusters",
                "The layout of DELIUS’ Figure 4: silhouette, Calinski-Harabasz index, accuracy by "
                "each label, iterations. Means over seeds.",
                self._charts(),
            ),
            Section("Maps", "The layout of DELIUS’ Figure 3.", self._maps()),
        ]
        tables = self._paper_tables()
        if tables:
            sections.append(
                Section(
                    "DCEC-Paint’s tables",
                    "ss is the silhouette, chs the Calinski-Harabasz index divided by its largest "
                    "value in these tables; both in each method’s own space, as in the paper.",
                    tables,
                )
            )
        sections.append(Section("All figures", "Mean and spread over seeds.", self._all()))
        sections.append(Section("How it was made", "", [self._budgets()], self._made()))
        return Findings(
            title=f"Methods compared on {found.archive_id}",
            lead=f"{len(found.names)} methods on {found.points:,} images{sample}{subset}, "
            f"k = {_range(found.ks)}, {_seeds(found.seeds)}.",
            sections=sections,
            foot=f"{found.archive_id} · comparison {found.comparison_id} · common space: "
            f"{found.common} · {found.made} UTC",
        )

    def _rows(self, name: str, k: int | None = None) -> list[Mapping[str, Any]]:
        return [r for r in self._found.rows if r["name"] == name and k in (None, r["k"])]

    def _stabilities(self) -> dict[tuple[str, int], float | None]:
        """Return the mean ARI over pairs of seeds, by method and k."""
        found: dict[tuple[str, int], float | None] = {}
        for name in self._found.names:
            for k in self._found.ks:
                rows = self._rows(name, k)
                ari = float("nan")
                if len(rows) > 1:
                    trials = [self._found.trials[row["trial_id"]] for row in rows]
                    ari = mean_ari([clusters_of(self._store, trial) for trial in trials])
                found[name, k] = None if math.isnan(ari) else ari
        return found

    def _overview(self) -> Table:
        """Return a row a method, each figure the mean over k and seeds."""
        columns = ["method", "silhouette, own space", "silhouette, common space"]
        values: list[Value] = [_value("silhouette"), _value("silhouette_common")]
        for label in self._found.labels:
            columns += [f"accuracy, {label}", f"NMI, {label}", f"ARI, {label}"]
            values += [_of_label(label, name) for name in ("accuracy", "nmi", "ari")]
        table, best = [], set()
        means = [
            [mean_of([value(row) for row in self._rows(name)]) for value in values]
            for name in self._found.names
        ]
        for column in range(len(values)):
            known = [(row[column], n) for n, row in enumerate(means) if row[column] is not None]
            # In its own space a method is judged by its own objective: nobody wins there.
            if known and column > 0:
                best.add((max(known)[1], column + 1))
        columns += ["clusters kept", "stability", "iterations", "seconds", "peak memory"]
        for name, row in zip(self._found.names, means, strict=True):
            mine = self._rows(name)
            kept = mean_of([r["non_empty"] / r["k"] for r in mine])
            peaks = [r["peak_bytes"] for r in mine if r["peak_bytes"] is not None]
            stability = mean_of([self._stability[name, k] for k in self._found.ks])
            table.append(
                [
                    name,
                    *map(figure, row),
                    "–" if kept is None else f"{kept:.0%}",
                    figure(stability),
                    figure(mean_of([r["iterations"] for r in mine])),
                    figure(mean_of([r["seconds"] for r in mine])),
                    bytes_text(max(peaks, default=None)),
                ]
            )
        return Table(
            "Means over all k and seeds",
            columns,
            table,
            frozenset(best),
            "The common space is that of the vectors of "
            f"{self._found.common}: the only one where silhouettes of different methods compare. "
            "Accuracy rewards collapse where a label is frequent: read it beside NMI and the share "
            "of clusters that kept a member. Stability is the mean ARI between seeds.",
        )

    def _findings(self) -> list[str]:
        found = self._found
        points = []

        def best(value: Value, what: str) -> None:
            means = {
                name: mean_of([value(row) for row in self._rows(name)]) for name in found.names
            }
            known = {name: mean for name, mean in means.items() if mean is not None}
            if known:
                first, *rest = sorted(known, key=lambda name: -known[name])
                second = f"; next {rest[0]} ({known[rest[0]]:.3f})" if rest else ""
                points.append(f"{what}: {first} ({known[first]:.3f}){second}.")

        best(_value("silhouette"), "Highest silhouette in the method’s own space")
        best(_value("silhouette_common"), "Highest silhouette in the common space")
        for label in found.labels:
            best(_of_label(label, "nmi"), f"Highest NMI with {label}")
            best(_of_label(label, "ari"), f"Highest ARI with {label}")
        stable = {
            name: mean
            for name in found.names
            if (mean := mean_of([self._stability[name, k] for k in found.ks])) is not None
        }
        if stable:
            name = max(stable, key=lambda each: stable[each])
            points.append(f"Most stable over seeds: {name} (mean ARI {stable[name]:.3f}).")
        points += self._against("delius", ("ae-kmeans", "pca-kmeans"))
        discarded = [row for row in found.rows if row["verdict"].startswith("discarded")]
        judged = [row for row in found.rows if row["verdict"]]
        if judged:
            points.append(
                f"Refinement was discarded, and the seeds’ clusters kept, in {len(discarded)} of "
                f"{len(judged)} fits that refine."
            )
        collapsed = sum(row["non_empty"] < row["k"] for row in found.rows)
        points.append(f"Clusters collapsed in {collapsed} of {len(found.rows)} fits.")
        return points

    def _against(self, name: str, others: Sequence[str]) -> list[str]:
        """Return whether DELIUS beats its rivals, as its paper says."""
        points = []
        for other in others:
            if name not in self._found.names or other not in self._found.names:
                continue
            told = []
            for column, where in (
                ("silhouette", "its own space"),
                ("silhouette_common", "the common space"),
            ):
                pairs = [
                    (
                        mean_of([r[column] for r in self._rows(name, k)]),
                        mean_of([r[column] for r in self._rows(other, k)]),
                    )
                    for k in self._found.ks
                ]
                wins = sum(a is not None and b is not None and a > b for a, b in pairs)
                told.append(f"at {wins} of {len(pairs)} k in {where}")
            points.append(f"{name} has a higher silhouette than {other} {' and '.join(told)}.")
        return points

    def _charts(self) -> list[Block]:
        found = self._found
        charts = [
            self._chart(
                "Silhouette coefficient, own space",
                _value("silhouette"),
                "Near 1 where an objective makes the clusters: no proof that they are good.",
            ),
            self._chart(
                "Silhouette coefficient, common space",
                _value("silhouette_common"),
                f"In the space of {found.common}.",
            ),
            self._chart(
                "Calinski-Harabasz index, own space",
                _value("calinski_harabasz"),
                "By powers of ten, as in DELIUS.",
                log=True,
            ),
        ]
        for label in found.labels:
            charts.append(
                self._chart(
                    f"Accuracy by {label}",
                    _of_label(label, "accuracy"),
                    "Under the best one-to-one mapping. Read it with the NMI below.",
                )
            )
            charts.append(self._chart(f"NMI by {label}", _of_label(label, "nmi"), ""))
        charts.append(
            self._chart(
                "Clusters with a member",
                lambda row: float(row["non_empty"]),
                "Below the number asked for, clusters collapsed.",
            )
        )
        charts.append(
            self._chart(
                "Iterations to converge",
                lambda row: row["iterations"],
                "Of the refinement, or of k-means; a budget may have ended it before.",
                log=True,
            )
        )
        return [chart for chart in charts if chart.curves]

    def _chart(self, title: str, value: Value, text: str, *, log: bool = False) -> Chart:
        curves = []
        for name in self._found.names:
            points = [
                (float(k), mean)
                for k in self._found.ks
                if (mean := mean_of([value(row) for row in self._rows(name, k)])) is not None
                and (mean > 0 or not log)
            ]
            if points:
                curves.append(Curve(name, points))
        return Chart(title, text, "clusters", title, curves, log=log)

    def _maps(self) -> list[Block]:
        found, cells = self._found, {}
        seed = found.seeds[0]
        for row, name in enumerate(found.names):
            for column, k in enumerate(found.ks):
                mine = next((r for r in self._rows(name, k) if r["seed"] == seed), None)
                if mine is not None:
                    cells[row, column] = _scatter(
                        *map_of(self._store, found.trials[mine["trial_id"]])
                    )
        points = len(next(iter(cells.values())).x)
        text = (
            f"t-SNE of the same {points:,} images in each method’s own space, coloured by cluster, "
            f"seed {seed}: rows are methods, columns k."
        )
        return [Maps(found.names, [f"k = {k}" for k in found.ks], cells, text)]

    def _paper_tables(self) -> list[Block]:
        there = set(self._found.names)
        shown = [(title, names) for title, names in _PAPER_TABLES if set(names) & there]
        methods = [n for n in dict.fromkeys(n for _, names in shown for n in names) if n in there]
        pairs = [(name, k) for name in methods for k in self._found.ks]
        chs = [
            mean_of([row["calinski_harabasz"] for row in self._rows(name, k)]) for name, k in pairs
        ]
        share = dict(zip(pairs, share_of_largest(chs), strict=True))
        tables: list[Block] = []
        for title, names in shown:
            mine = [name for name in names if name in there]
            columns = ["k"]
            for name in mine:
                prefix = "" if len(names) == 1 else f"{_PAPER_NAMES[name]} "
                columns += [f"{prefix}ss", f"{prefix}chs"]
            rows = [
                [
                    str(k),
                    *(
                        text
                        for name in mine
                        for text in (
                            _four(mean_of([r["silhouette"] for r in self._rows(name, k)])),
                            _four(share[name, k]),
                        )
                    ),
                ]
                for k in self._found.ks
            ]
            tables.append(Table(title, columns, rows))
        return tables

    def _all(self) -> list[Block]:
        plain = (
            ("Silhouette, own space", "silhouette"),
            ("Silhouette, common space", "silhouette_common"),
            ("Calinski-Harabasz, own space", "calinski_harabasz"),
            ("Calinski-Harabasz, common space", "calinski_harabasz_common"),
            ("Clusters with a member", "non_empty"),
            ("Iterations", "iterations"),
            ("Seconds, without networks that fits share", "seconds"),
        )
        blocks: list[Block] = [self._by_k(title, _mean_and_spread(name)) for title, name in plain]
        for label in self._found.labels:

            def cell(rows: Sequence[Mapping[str, Any]], label: str = label) -> str:
                told = [
                    with_spread([row["labels"][label][name] for row in rows])
                    for name in ("accuracy", "nmi", "ari")
                ]
                clusters = with_spread([row["labels"][label]["non_empty"] for row in rows])
                return f"{' / '.join(told)} ({clusters})"

            blocks.append(
                self._by_k(f"{label}: accuracy / NMI / ARI (clusters with a labelled member)", cell)
            )
        if len(self._found.seeds) > 1:
            rows = [
                [str(k), *(figure(self._stability[name, k]) for name in self._found.names)]
                for k in self._found.ks
            ]
            blocks.append(
                Table("Stability over seeds", ["k", *self._found.names], rows, folded=True)
            )
        return blocks

    def _by_k(self, title: str, cell: Callable[[Sequence[Mapping[str, Any]]], str]) -> Table:
        rows = [
            [str(k), *(cell(self._rows(name, k)) for name in self._found.names)]
            for k in self._found.ks
        ]
        return Table(title, ["k", *self._found.names], rows, folded=True)

    def _budgets(self) -> Table:
        """Return each method's vectors and the budget that it was given."""
        rows = []
        for name in self._found.names:
            first = self._rows(name)[0]
            trial = self._found.trials[first["trial_id"]]
            settings = json.loads(trial["settings"])
            shared = {
                stage: spent
                for row in self._rows(name)
                for stage, spent in json.loads(
                    self._found.trials[row["trial_id"]]["shared_seconds"]
                ).items()
            }
            rows.append(
                [
                    name,
                    trial["embedder_id"],
                    _budget(first["method"], settings),
                    ", ".join(f"{stage} {spent:.0f} s" for stage, spent in shared.items()) or "–",
                ]
            )
        return Table(
            "Vectors and budgets",
            ["method", "vectors", "budget", "shared, once"],
            rows,
            text="Networks that a method trains on the pictures are trained once for all methods "
            "and k, and their time is not in the fits’ seconds.",
        )

    def _made(self) -> list[str]:
        found = self._found
        counts = [
            f"{label}: {max(row['labels'][label]['labelled_count'] for row in found.rows):,} of "
            f"{found.points:,} images have one"
            for label in found.labels
        ]
        return [
            "Every method saw the same images; labels took part in measuring alone.",
            *(["Labels — " + "; ".join(counts) + "."] if counts else []),
            "Peak memory is that of the whole process while it fitted, libraries included.",
        ]


def _mean_and_spread(name: str) -> Callable[[Sequence[Mapping[str, Any]]], str]:
    return lambda rows: with_spread([row[name] for row in rows])


def _value(name: str) -> Value:
    return lambda row: row[name]


def _of_label(label: str, name: str) -> Value:
    return lambda row: row["labels"][label][name]


def _budget(method: str, settings: Mapping[str, Any]) -> str:
    """Return the settings that bound a method's work."""
    told = []
    if method in ("delius", "ae-kmeans"):
        pretrain = settings["pretrain"]
        least = f", at least {pretrain['min_steps']:,} steps" if pretrain["min_steps"] else ""
        told.append(f"{pretrain['epochs']:,} epochs of pre-training{least}")
    refinement = "dec" if method == "delius" else "dcec" if _refines_pixels(method) else None
    if refinement is not None:
        told.append(
            f"at most {settings[refinement]['max_iterations']:,} iterations of "
            f"{settings[refinement]['batch_size']}"
        )
    told.append(f"{settings['restarts']} restarts")
    if settings["scaling"] == "unit":
        told.append("unit length")
    return ", ".join(told)


def _refines_pixels(method: str) -> bool:
    return method.startswith("dcec") or method in ("cae-dec", "genre-dec")


def _scatter(places_M2: np.ndarray, clusters_M: np.ndarray) -> Scatter:
    low = places_M2.min(0)
    span = max(float(np.ptp(places_M2, axis=0).max()), 1e-9)
    scaled = np.round((places_M2 - low) / span * MAP_SIDE).astype(int)
    return Scatter(scaled[:, 0].tolist(), (MAP_SIDE - scaled[:, 1]).tolist(), clusters_M.tolist())


def _four(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _range(ks: Sequence[int]) -> str:
    whole = len(ks) > 2 and list(ks) == list(range(ks[0], ks[-1] + 1))
    return f"{ks[0]} to {ks[-1]}" if whole else ", ".join(map(str, ks))


def _seeds(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} seeds" if len(seeds) > 1 else "one seed"
