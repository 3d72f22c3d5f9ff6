"""An archive's runs as a report lists and draws them."""

import json
from collections.abc import Callable, Sequence

import pyarrow.compute as pc

from artcluster.pages.content import Chart, Curve, RunLine
from artcluster.pages.findings import Findings
from artcluster.schema import MODELS, RUNS
from artcluster.store import Store
from artcluster.workflows.experiments.compare import read_comparisons
from artcluster.workflows.experiments.compare_page import comparison_findings
from artcluster.workflows.experiments.sweep import read_sweeps
from artcluster.workflows.experiments.sweep_page import sweep_findings
from artcluster.workflows.studies.record import studies_of

_MOST = 20

_TITLES = {"genres": "Genres by reconstruction", "backbones": "Backbones fine-tuned"}


def copy_studies(
    store: Store, archive_id: str, write: Callable[[str, bytes], object]
) -> list[tuple[str, str, str]]:
    """Copy the pages of an archive's last studies into a report; return address, title and date."""
    found = []
    for each in studies_of(store, archive_id)[:_MOST]:
        source, address = f"{each.study.folder}/index.html", f"studies/{each.study.study_id}.html"
        if store.exists(source):
            write(address, store.read_bytes(source))
            title = f"{_TITLES[each.study.kind]}, by {each.study.label}"
            found.append((address, title, f"{each.created_at:%Y-%m-%d}"))
    return found


_MOST_SWEEPS = 12

_MOST_COMPARISONS = 3


def told_of(store: Store, archive_id: str) -> tuple[list[Findings], list[Findings]]:
    """Return what the last sweeps and the last comparisons found, the newest first."""
    sweeps = read_sweeps(store, archive_id)[:_MOST_SWEEPS]
    comparisons = read_comparisons(store, archive_id, _MOST_COMPARISONS)
    return (
        [sweep_findings(sweep) for sweep in sweeps],
        [comparison_findings(store, comparison) for comparison in comparisons],
    )


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
