"""The first page, and the page of metadata: what a report says of the run as a whole."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc
import yaml

from artcluster.metrics.measures import LABEL_MEASURES, MEASURES, label_table
from artcluster.pages.content import ClusterEntry, Crosstab, Kin, Term
from artcluster.schema import CLUSTERS, LINEAGE, MODELS
from artcluster.store import Store
from artcluster.workflows.curation.keywords import count_values, distinct_names, suggested_name
from artcluster.workflows.curation.zero_shot_names import ClusterWords
from artcluster.workflows.runs import Run
from artcluster.workflows.viewing.report.history import copy_studies
from artcluster.workflows.viewing.report.members import Members
from artcluster.workflows.viewing.report.page import LineageRow, Report


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
    words: Mapping[int, ClusterWords],
) -> list[ClusterEntry]:
    """Return the clusters with images, the largest first; noise last.

    Words suggest names before metadata do: somebody asked for them.
    """
    rows = members.tables.sql(
        "SELECT cluster, count(*), avg(confidence), avg(CAST(low_confidence AS INTEGER)), "
        "avg(CAST(outlier AS INTEGER)) FROM members GROUP BY cluster "
        "ORDER BY cluster < 0, count(*) DESC, cluster"
    ).fetchall()
    by_words = {cluster: each.name for cluster, each in words.items() if each.name}
    suggested = distinct_names(
        {
            cluster: by_words.get(cluster) or suggested_name(terms.get(cluster, []), labels)
            if cluster >= 0
            else ""
            for cluster, *_ in rows
        }
    )
    return [
        ClusterEntry(
            cluster=cluster,
            name=names.get(cluster, ""),
            suggested=suggested[cluster],
            images=count,
            share=count / max(1, members.images),
            confidence=float(confidence or 0),
            low_confidence=float(low or 0),
            outliers=float(outliers or 0),
            terms=_distinct(terms.get(cluster, []))[:3],
            by_words=cluster in by_words,
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


def lineage_of(store: Store, run_id: str) -> list[LineageRow]:
    """Return what became of the parent's clusters: old, new, shared members, kind."""
    rows = store.table(LINEAGE).read(None, pc.field("run_id") == run_id).to_pylist()
    lineage = [(r["old_cluster"], r["new_cluster"], r["overlap"], r["kind"]) for r in rows]
    last = 1 << 31
    return sorted(
        lineage,
        key=lambda row: (
            last if row[1] is None else row[1],
            -row[2],
            last if row[0] is None else row[0],
        ),
    )


def parents_of(lineage: Sequence[LineageRow], names: Mapping[int, str]) -> dict[int, list[Kin]]:
    """Return by cluster the parent run's clusters that it comes from."""
    parents: dict[int, list[Kin]] = {}
    for old, new, overlap, kind in lineage:
        if new is not None:
            name = "" if old is None else names.get(old, "")
            kin = Kin(-1 if old is None else old, name, kind, overlap)
            parents.setdefault(new, []).append(kin)
    return parents


def metric_lines(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of a run's measures that say which way is better."""
    return [
        (measure.heading, measure.text(value), measure.meaning)
        for name, measure in MEASURES.items()
        if measure.better
        and (value := metrics.get(name)) is not None
        # A model that is the embedder's own space has nothing more to say.
        and not (measure.space == "" and value == metrics.get(f"{name}_embedder"))
    ]


def fact_lines(run: Run, model: Mapping[str, Any], noun: str) -> list[tuple[str, str]]:
    """Return how a run was made; `noun` says what its members are."""
    verdict = model["training"].get("verdict")
    lines = [
        ("Run", run.run_id),
        ("Made", f"{run.created_at:%Y-%m-%d %H:%M} UTC"),
        ("Archive", run.archive_id),
        ("Scan", str(run.scan_id)),
        ("Embedder", run.embedder_id),
        ("Method", model["method"]),
        ("Requested clusters (k)", str(model["k"])),
        ("Model", run.model_id),
        ("Fitted on", f"{model['training'].get('fitted_on', 0):,} {noun}"),
        ("Parent run", run.parent or "none"),
        ("Metadata version", run.metadata_version or "no metadata"),
        ("Versions", ", ".join(f"{name} {number}" for name, number in run.versions.items())),
    ]
    if verdict:
        lines.insert(8, ("Refinement", str(verdict)))
    return lines


def build(report: Report) -> Mapping[str, Any]:
    """Return what the first page says of the run."""
    run, store = report.run, report.job.store
    return {
        "metrics": metric_lines(run.metrics),
        "agreement": label_table(run.metrics.get("labels", {})),
        "label_meanings": [(each.heading, each.meaning) for each in LABEL_MEASURES.values()],
        "facts": fact_lines(run, model_row(store, run.model_id), report.members.noun),
        "settings": yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True),
        "lineage": report.lineage,
        "parent": run.parent or "",
        "unread": report.unread,
        "studies": copy_studies(store, run.archive_id, report.output.write),
    }


_CROSSTAB_COLUMNS = 8
_MOST_VALUES = 24


def build_distribution(report: Report) -> Mapping[str, Any] | None:
    """Return images by cluster and metadata value, for the first columns."""
    columns = report.columns[:_CROSSTAB_COLUMNS]
    return {"tables": [_crosstab(report, column) for column in columns]} if columns else None


def _crosstab(report: Report, column: str) -> Crosstab:
    """Count images by cluster and value; past the most frequent values the rest is summed up."""
    counts = count_values(report.members.tables, "members", column)
    rows = {cluster: counts.counts_CV[row] for row, cluster in enumerate(counts.clusters)}
    shown = list(counts.values[:_MOST_VALUES])
    others = len(counts.values) - len(shown)
    cells = []
    for entry in report.frame.clusters:
        row = rows.get(entry.cluster)
        numbers = [0] * len(counts.values) if row is None else row.tolist()
        rest = [sum(numbers[_MOST_VALUES:])] if others else []
        cells.append(numbers[:_MOST_VALUES] + rest)
    return Crosstab(
        column,
        [*shown, f"{others:,} others"] if others else shown,
        [(entry.cluster, entry.title) for entry in report.frame.clusters],
        cells,
        others,
    )
