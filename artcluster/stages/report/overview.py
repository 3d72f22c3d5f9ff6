"""What a report's pages say of the run as a whole."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow.compute as pc
import yaml

from artcluster.images.rejects import ADVICE
from artcluster.report.content import (
    Chart,
    Crosstab,
    Curve,
    Entry,
    Kin,
    RejectedFile,
    RejectGroup,
    RunLine,
    Term,
)
from artcluster.schema import CLUSTERS, LINEAGE, MODELS, RUNS
from artcluster.stages.job import Job
from artcluster.stages.report.describe import browser_link
from artcluster.stages.report.members import Members
from artcluster.stages.terms import count_values, distinct_names, suggested_name
from artcluster.stages.thumbnails import Original, Thumbnails
from artcluster.store import Store

_MOST_VALUES = 24
_MOST_REJECTS = 200
_SALVAGED = ("truncated", "corrupt")
_FETCH_ADVICE = {
    "too-large": "The picture is larger than the settings allow: raise images.max_pixels or "
    "archive.max_file_bytes, if it is wanted.",
}
_METRICS = (
    (
        "silhouette_embedder",
        "Silhouette",
        "How much nearer images are to their own cluster than to "
        "the next, in the embedder’s space: 1 is apart, 0 is overlapping.",
    ),
    (
        "silhouette",
        "Silhouette of the model",
        "The same in the model’s own space, which refinement pulls apart.",
    ),
    (
        "calinski_harabasz_embedder",
        "Calinski–Harabasz",
        "Spread between clusters over spread "
        "within them, in the embedder’s space; higher is better, comparable on the same images.",
    ),
    (
        "mean_confidence",
        "Mean confidence",
        "Membership of the own cluster, 0 to 1. Compare it within a run, not across methods.",
    ),
    ("non_empty", "Clusters with images", "Of those asked for."),
)


def run_row(store: Store, run_id: str) -> dict[str, Any]:
    """Return a run's row, with its JSON read."""
    (row,) = store.table(RUNS).read(None, pc.field("run_id") == run_id).to_pylist()
    for name in ("config", "metrics", "versions", "timings"):
        row[name] = json.loads(row[name])
    return dict(row)


def model_row(store: Store, model_id: str) -> dict[str, Any]:
    """Return a model's row, with its JSON read."""
    (row,) = store.table(MODELS).read(None, pc.field("model_id") == model_id).to_pylist()
    for name in ("config", "training"):
        row[name] = json.loads(row[name])
    return dict(row)


def medoids_of(store: Store, run_id: str) -> dict[int, list[str]]:
    """Return each cluster's medoids."""
    rows = store.table(CLUSTERS).read(["cluster", "medoids"], pc.field("run_id") == run_id)
    return {row["cluster"]: row["medoids"] or [] for row in rows.to_pylist()}


def make_entries(
    members: Members,
    terms: Mapping[int, Sequence[Term]],
    names: Mapping[int, str],
    labels: Sequence[str],
) -> list[Entry]:
    """Return the clusters with images, the largest first; noise last."""
    rows = members.tables.sql(
        "SELECT cluster, count(*), avg(confidence), avg(CAST(low_confidence AS INTEGER)), "
        "avg(CAST(outlier AS INTEGER)) FROM members GROUP BY cluster "
        "ORDER BY cluster < 0, count(*) DESC, cluster"
    ).fetchall()
    suggested = distinct_names(
        {
            cluster: suggested_name(terms.get(cluster, []), labels) if cluster >= 0 else ""
            for cluster, *_ in rows
        }
    )
    return [
        Entry(
            cluster=cluster,
            name=names.get(cluster, ""),
            suggested=suggested[cluster],
            images=count,
            share=count / max(1, members.images),
            confidence=float(confidence or 0),
            low_confidence=float(low or 0),
            outliers=float(outliers or 0),
            terms=_distinct(terms.get(cluster, []))[:3],
        )
        for cluster, count, confidence, low, outliers in rows
    ]


def _distinct(terms: Sequence[Term]) -> list[Term]:
    """Leave out values that another column says, too."""
    return list({term.value: term for term in reversed(terms)}.values())[::-1]


def most_sure(members: Members) -> float:
    """Return the greatest confidence, rounded up to a tenth."""
    ((greatest,),) = members.tables.sql(
        "SELECT coalesce(max(confidence), 1) FROM members"
    ).fetchall()
    return min(1.0, math.ceil(float(greatest) * 10) / 10) or 1.0


def given_names(members: Members) -> dict[int, str]:
    """Return the names that people gave to clusters."""
    rows = members.tables.sql(
        "SELECT cluster, any_value(cluster_name) FROM shown WHERE cluster_name IS NOT NULL "
        "GROUP BY cluster"
    ).fetchall()
    return dict(rows)


def lineage_of(store: Store, run_id: str) -> list[tuple[int | None, int | None, int, str]]:
    """Return what became of the parent's clusters: old, new, shared members, kind."""
    rows = store.table(LINEAGE).read(None, pc.field("run_id") == run_id).to_pylist()
    found = [(r["old_cluster"], r["new_cluster"], r["overlap"], r["kind"]) for r in rows]
    last = 1 << 31
    return sorted(
        found,
        key=lambda row: (
            last if row[1] is None else row[1],
            -row[2],
            last if row[0] is None else row[0],
        ),
    )


def parents_of(
    lineage: Sequence[tuple[int | None, int | None, int, str]], names: Mapping[int, str]
) -> dict[int, list[Kin]]:
    """Return by cluster the parent run's clusters that it comes from."""
    found: dict[int, list[Kin]] = {}
    for old, new, overlap, kind in lineage:
        if new is not None:
            name = "" if old is None else names.get(old, "")
            kin = Kin(-1 if old is None else old, name, kind, overlap)
            found.setdefault(new, []).append(kin)
    return found


def metric_lines(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of a run's metrics."""
    lines = [
        (title, _figure(metrics.get(name)), meaning)
        for name, title, meaning in _METRICS
        if metrics.get(name) is not None
        # A model that is the embedder's own space has nothing more to say.
        and (name != "silhouette" or metrics[name] != metrics.get("silhouette_embedder"))
    ]
    for column, label in metrics.get("labels", {}).items():
        lines.append(
            (
                f"NMI with {column}",
                _figure(label.get("nmi")),
                f"How much clusters and the column “{column}” tell of one another, 0 to 1, over "
                f"{label.get('labelled_count', 0):,} labelled images. Labels were not trained on.",
            )
        )
    return lines


def fact_lines(run: Mapping[str, Any], model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how a run was made."""
    verdict = model["training"].get("verdict")
    lines = [
        ("Run", run["run_id"]),
        ("Made", f"{run['created_at']:%Y-%m-%d %H:%M} UTC"),
        ("Archive", run["archive_id"]),
        ("Scan", str(run["scan_id"])),
        ("Embedder", run["embedder_id"]),
        ("Method", model["method"]),
        ("Clusters asked for", str(model["k"])),
        ("Model", run["model_id"]),
        ("Fitted on", f"{model['training'].get('fitted_on', 0):,} images"),
        ("Parent run", run["parent"] or "none: a first run"),
        ("Metadata version", run["metadata_version"] or "no metadata"),
        ("Versions", ", ".join(f"{name} {number}" for name, number in run["versions"].items())),
    ]
    if verdict:
        lines.insert(8, ("Refinement", str(verdict)))
    return lines


def settings_yaml(run: Mapping[str, Any]) -> str:
    """Return the resolved config of a run as YAML."""
    return yaml.safe_dump(run["config"], sort_keys=False, allow_unicode=True)


def crosstabs(members: Members, columns: Sequence[str], entries: Sequence[Entry]) -> list[Crosstab]:
    """Count images by cluster and value; past the most frequent values the rest is summed up."""
    found = []
    for column in columns:
        counts = count_values(members.tables, "members", column)
        rows = {cluster: counts.counts_CV[row] for row, cluster in enumerate(counts.clusters)}
        shown = list(counts.values[:_MOST_VALUES])
        others = len(counts.values) - len(shown)
        table = []
        for entry in entries:
            row = rows.get(entry.cluster)
            numbers = [0] * len(counts.values) if row is None else row.tolist()
            rest = [sum(numbers[_MOST_VALUES:])] if others else []
            table.append(numbers[:_MOST_VALUES] + rest)
        found.append(
            Crosstab(
                column,
                [*shown, f"{others:,} others"] if others else shown,
                [(entry.cluster, entry.title) for entry in entries],
                table,
                others,
            )
        )
    return found


def reject_groups(members: Members, archive_id: str) -> list[RejectGroup]:
    """Return the archive's rejects by reason, the most frequent first, without pictures."""
    rows = members.tables.execute(
        f"""
        SELECT reason, stage, path, uri, detail, content_id, total FROM (
            SELECT *, count(*) OVER (PARTITION BY reason) AS total,
                row_number() OVER (PARTITION BY reason ORDER BY path) AS nth
            FROM rejects WHERE archive_id = ?
        ) WHERE nth <= {_MOST_REJECTS} ORDER BY total DESC, reason, path
        """,
        [archive_id],
    ).fetchall()
    groups: dict[str, list[RejectedFile]] = {}
    totals: dict[str, int] = {}
    for reason, stage, path, uri, detail, content_id, total in rows:
        totals[reason] = total
        file = RejectedFile(
            path, uri, browser_link(uri), stage or "", detail or "", content_id or ""
        )
        groups.setdefault(reason, []).append(file)
    return [
        RejectGroup(
            reason,
            _FETCH_ADVICE.get(reason) or ADVICE.get(reason, "See what the decoder says."),
            totals[reason],
            files,
        )
        for reason, files in groups.items()
    ]


def with_pictures(job: Job, groups: Sequence[RejectGroup], broken: Thumbnails) -> list[RejectGroup]:
    """Add what can be seen of rejects whose bytes are broken."""
    originals = [
        Original(file.content_id, file.place)
        for group in groups
        if group.reason in _SALVAGED
        for file in group.files
        if file.content_id
    ]
    broken.make(job, list(dict.fromkeys(originals)), "rejects")
    return [
        replace(
            group,
            files=[replace(file, picture=broken.get(file.content_id)) for file in group.files],
        )
        for group in groups
    ]


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


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
