"""An archive's runs as a report lists and draws them."""

import json
from collections.abc import Sequence

import pyarrow.compute as pc

from artcluster.report.content import Chart, Curve, RunLine
from artcluster.schema import MODELS, RUNS
from artcluster.store import Store


def run_lines(store: Store, archive_id: str, shown: str) -> list[RunLine]:
    """Return the archive's runs, the newest first."""
    runs = store.table(RUNS).read(None, pc.field("archive_id") == archive_id)
    models = {
        row["model_id"]: row
        for row in store.table(MODELS).read(["model_id", "method", "k"]).to_pylist()
    }
    lines = []
    for run in runs.sort_by([("created_at", "descending")]).to_pylist():
        metrics = json.loads(run["metrics"])
        model = models[run["model_id"]]
        lines.append(
            RunLine(
                run_id=run["run_id"],
                made=f"{run['created_at']:%Y-%m-%d %H:%M}",
                method=model["method"],
                k=model["k"],
                images=run["images"],
                silhouette=metrics.get("silhouette_embedder"),
                inertia=metrics.get("inertia"),
                labels={
                    name: label.get("nmi") for name, label in metrics.get("labels", {}).items()
                },
                shown=run["run_id"] == shown,
                scan_id=run["scan_id"],
                embedder_id=run["embedder_id"],
            )
        )
    return lines


def run_charts(lines: Sequence[RunLine]) -> list[Chart]:
    """Return curves over the number of clusters, from runs alike in all but it."""
    alike: dict[str, list[RunLine]] = {}
    shown = next((line for line in lines if line.shown), None)
    for line in lines:
        same = shown is None or (line.scan_id, line.embedder_id) == (
            shown.scan_id,
            shown.embedder_id,
        )
        if same and line.k not in [other.k for other in alike.get(line.method, [])]:
            alike.setdefault(line.method, []).append(line)
    swept = {
        method: sorted(runs, key=lambda r: r.k) for method, runs in alike.items() if len(runs) > 2
    }

    def curves(name: str) -> list[Curve]:
        found = [
            Curve(
                method,
                [(run.k, value) for run in runs if (value := getattr(run, name)) is not None],
            )
            for method, runs in swept.items()
        ]
        return [curve for curve in found if len(curve.points) > 2]

    charts = [
        Chart(
            "Silhouette by number of clusters",
            "Measured in the embedder’s space, so that methods compare. Higher is better.",
            "clusters",
            "silhouette",
            curves("silhouette"),
        ),
        Chart(
            "Elbow: inertia by number of clusters",
            "Sum of squared distances to the centres, in each model’s own space: look for the "
            "bend of each curve, and do not compare curves with one another.",
            "clusters",
            "inertia",
            curves("inertia"),
        ),
    ]
    return [chart for chart in charts if chart.curves]
