"""What a sweep found: curves over k, a table, and the recommendation."""

import json

from artcluster.embedders import finds_faces
from artcluster.metrics.measures import MEASURES
from artcluster.metrics.number_format import percent, shares_of_largest
from artcluster.pages.findings import Findings, FindingsTable, Section
from artcluster.workflows.experiments.measure_charts import (
    known_charts,
    measure_chart,
    with_kept_share,
)
from artcluster.workflows.experiments.sweep import Sweep


def sweep_findings(sweep: Sweep) -> Findings:
    """Return what a sweep found, for a page."""
    rows = sweep.rows
    where = json.loads(rows[0]["asked"])["where"]
    subset = f", where {where}" if where else ""
    sample = f" (a sample of {sweep.sampled_from:,})" if sweep.points < sweep.sampled_from else ""
    charts = [
        measure_chart(
            measure, {sweep.method: [(row["k"], row[name]) for row in rows]}, least_points=2
        )
        for name, measure in MEASURES.items()
        if measure.curve and name in rows[0]
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
        "Labels were not used.",
        sections=[
            Section("What is recommended", "", [sweep_table(sweep)], points),
            Section("Curves", "", known_charts(charts)),
        ],
        foot=f"{sweep.archive_id} · sweep {sweep.sweep_id} · vectors of {sweep.embedder_id} · "
        f"{rows[0]['created_at']:%Y-%m-%d %H:%M} UTC",
    )


def sweep_table(sweep: Sweep) -> FindingsTable:
    """Return the figures of every k, the recommended row in bold."""
    rows = [with_kept_share(row) for row in sweep.rows]
    measures = [
        measure
        for name, measure in MEASURES.items()
        if name in rows[0] and (measure.headline or measure.space == "_common")
    ]
    columns = ["k", *(measure.label for measure in measures), "Calinski-Harabasz of the largest"]
    shares = shares_of_largest([row["calinski_harabasz_common"] for row in rows])
    cells = [
        [
            str(row["k"]) + (" (elbow)" if row["elbow"] else ""),
            *(measure.text(row[measure.name]) for measure in measures),
            "–" if share is None else percent(share),
        ]
        for row, share in zip(rows, shares, strict=True)
    ]
    best = next(n for n, row in enumerate(rows) if row["recommended"])
    return FindingsTable(
        "Every k",
        columns,
        cells,
        frozenset((best, column) for column in range(len(columns))),
        "The common space is that of the vectors that the method was given. Peak memory is that of "
        "the whole process.",
    )
