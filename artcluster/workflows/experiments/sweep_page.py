"""What a sweep found: curves over k, a table, and the recommendation."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from artcluster.embedders import finds_faces
from artcluster.pages.content import Chart, Curve
from artcluster.pages.findings import Findings, Section, Table
from artcluster.workflows.experiments.findings_files import bytes_text, figure, share_of_largest
from artcluster.workflows.experiments.sweep import Sweep

_CHARTS = (
    (
        "silhouette_common",
        "Silhouette in the embedder’s space",
        "The same space for every k. 1 is apart, 0 is overlapping; higher is better.",
    ),
    (
        "silhouette",
        "Silhouette in the method’s own space",
        "Where a refinement made the clusters, this is near 1 by its objective alone.",
    ),
    (
        "calinski_harabasz_common",
        "Calinski-Harabasz in the embedder’s space",
        "Spread between clusters over spread within; higher is better.",
    ),
    (
        "inertia_common",
        "Elbow: inertia in the embedder’s space",
        "Squared distances to the clusters’ means: look for the bend.",
    ),
    (
        "stability",
        "Stability",
        "Mean adjusted Rand index with fits on parts of it all: 1 says that the same clusters come "
        "out.",
    ),
    ("seconds", "Seconds a fit", "Without networks that several fits share."),
)


def sweep_findings(sweep: Sweep) -> Findings:
    """Return what a sweep found, for a page."""
    rows = sweep.rows
    where = json.loads(rows[0]["asked"])["where"]
    subset = f", where {where}" if where else ""
    sample = f" (a sample of {sweep.sampled_from:,})" if sweep.points < sweep.sampled_from else ""
    charts = [
        Chart(title, text, "clusters", name, [Curve(sweep.method, places)])
        for name, title, text in _CHARTS
        if len(places := _points(rows, name)) > 1
    ]
    points = [f"Recommended: {sweep.recommended} clusters — {sweep.reason}."]
    if sweep.elbow is not None:
        points.append(f"The inertia bends at {sweep.elbow} clusters.")
    collapsed = [row["k"] for row in rows if row["non_empty"] < row["k"]]
    if collapsed:
        points.append(f"Clusters collapsed at k = {', '.join(map(str, collapsed))}.")
    members = "faces" if finds_faces(sweep.embedder_id) else "images"
    return Findings(
        title=f"Choosing the number of clusters: {sweep.method}",
        lead=f"{sweep.method} on {sweep.points:,} {members}{sample} of {sweep.archive_id}{subset}. "
        "No label took part.",
        sections=[
            Section("What is recommended", "", [sweep_table(sweep)], points),
            Section("Curves", "", charts),
        ],
        foot=f"{sweep.archive_id} · sweep {sweep.sweep_id} · vectors of {sweep.embedder_id} · "
        f"{rows[0]['created_at']:%Y-%m-%d %H:%M} UTC",
    )


SWEEP_COLUMNS = (
    *("k", "silhouette, own space", "silhouette, embedder’s", "Calinski-Harabasz"),
    *("of the largest", "inertia", "clusters", "stability", "iterations", "seconds", "peak memory"),
)


def sweep_table(sweep: Sweep) -> Table:
    """Return the figures of every k; what is recommended is stressed."""
    shares = share_of_largest([row["calinski_harabasz_common"] for row in sweep.rows])
    rows = [
        [
            str(row["k"]) + (" (elbow)" if row["elbow"] else ""),
            figure(row["silhouette"]),
            figure(row["silhouette_common"]),
            figure(row["calinski_harabasz_common"]),
            figure(share),
            figure(row["inertia_common"]),
            f"{row['non_empty']} of {row['k']}",
            figure(row["stability"]),
            figure(row["iterations"]),
            figure(row["seconds"]),
            bytes_text(row["peak_bytes"]),
        ]
        for row, share in zip(sweep.rows, shares, strict=True)
    ]
    best = next(n for n, row in enumerate(sweep.rows) if row["recommended"])
    return Table(
        "Every k",
        SWEEP_COLUMNS,
        rows,
        frozenset((best, column) for column in range(len(SWEEP_COLUMNS))),
        "Calinski-Harabasz and inertia are of the embedder’s space; the index is also divided by "
        "its largest value. Peak memory is that of the whole process.",
    )


def _points(rows: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(row["k"], row[name]) for row in rows if row[name] is not None]
