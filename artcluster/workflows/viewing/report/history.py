"""The pages of what came before: runs, sweeps and comparisons of an archive; its studies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from artcluster.metrics.measures import LABEL_MEASURES, MEASURES, Measure
from artcluster.pages.content import Chart, RunLine
from artcluster.schema import MODELS
from artcluster.store import Store
from artcluster.workflows.experiments.compare import read_comparisons
from artcluster.workflows.experiments.compare_page import comparison_findings
from artcluster.workflows.experiments.measure_charts import known_charts, measure_chart
from artcluster.workflows.experiments.sweep import read_sweeps
from artcluster.workflows.experiments.sweep_page import sweep_findings
from artcluster.workflows.runs import read_runs
from artcluster.workflows.studies.record import studies_of
from artcluster.workflows.viewing.report.page import Report

_MOST = 20
_TITLES = {"genres": "Genres by reconstruction", "backbones": "Backbones fine-tuned"}


def copy_studies(
    store: Store, archive_id: str, write: Callable[[str, bytes], object]
) -> list[tuple[str, str, str]]:
    """Copy the pages of an archive's last studies into a report; return address, title and date."""
    links = []
    for each in studies_of(store, archive_id)[:_MOST]:
        source, address = f"{each.study.folder}/index.html", f"studies/{each.study.study_id}.html"
        if store.exists(source):
            write(address, store.read_bytes(source))
            title = f"{_TITLES[each.study.kind]}, by {each.study.label}"
            links.append((address, title, f"{each.created_at:%Y-%m-%d}"))
    return links


_MOST_SWEEPS = 12
_MOST_COMPARISONS = 3


def build_sweeps(report: Report) -> Mapping[str, Any] | None:
    """Return what the last sweeps found, the newest first."""
    sweeps = read_sweeps(report.job.store, report.run.archive_id)[:_MOST_SWEEPS]
    return {"all_findings": [sweep_findings(sweep) for sweep in sweeps]} if sweeps else None


def build_comparisons(report: Report) -> Mapping[str, Any] | None:
    """Return what the last comparisons found, the newest first."""
    store = report.job.store
    comparisons = read_comparisons(store, report.run.archive_id, _MOST_COMPARISONS)
    return (
        {"all_findings": [comparison_findings(store, each) for each in comparisons]}
        if comparisons
        else None
    )


def build_runs(report: Report) -> Mapping[str, Any]:
    """Return the archive's runs with their measures, and curves over the number of clusters."""
    runs = run_lines(report.job.store, report.run.archive_id, report.run.run_id)
    return {"runs": runs, "columns": run_columns(runs), "charts": run_charts(runs)}


def run_lines(store: Store, archive_id: str, shown: str) -> list[RunLine]:
    """Return the archive's runs, the newest first."""
    models = {
        row["model_id"]: row
        for row in store.table(MODELS).read(["model_id", "method", "k"]).to_pylist()
    }
    lines = []
    for run in reversed(read_runs(store, archive_id)):
        model = models[run.model_id]
        lines.append(
            RunLine(
                run_id=run.run_id,
                made=f"{run.created_at:%Y-%m-%d %H:%M}",
                method=model["method"],
                k=model["k"],
                images=run.images,
                shown=run.run_id == shown,
                scan_id=run.scan_id,
                embedder_id=run.embedder_id,
                metrics=run.metrics,
            )
        )
    figures = _figures(lines)
    return [
        replace(
            line, figures=[measure.text(_value(line, label, measure)) for label, measure in figures]
        )
        for line in lines
    ]


def run_columns(lines: Sequence[RunLine]) -> list[str]:
    """Return headings of the measures that the table of runs shows."""
    return [f"{measure.title} {label}".strip() for label, measure in _figures(lines)]


def _figures(lines: Sequence[RunLine]) -> list[tuple[str, Measure]]:
    """Return the measures that compare runs, those against a label with the label."""
    labels = sorted({label for line in lines for label in line.metrics.get("labels", {})})
    return [
        *(("", each) for each in MEASURES.values() if each.headline and each.space == "_embedder"),
        *((label, each) for label in labels for each in LABEL_MEASURES.values() if each.headline),
    ]


def _value(line: RunLine, label: str, measure: Measure) -> float | None:
    values = line.metrics.get("labels", {}).get(label, {}) if label else line.metrics
    value: float | None = values.get(measure.name)
    return value


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

    return known_charts(
        measure_chart(
            measure,
            {
                method: [(run.k, run.metrics.get(name)) for run in runs]
                for method, runs in swept.items()
            },
            least_points=3,
        )
        for name, measure in MEASURES.items()
        # The embedder's space is the same for all methods.
        if measure.curve
        and (
            measure.space == "_embedder"
            or (measure.space == "" and f"{name}_embedder" not in MEASURES)
        )
    )
