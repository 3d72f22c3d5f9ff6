"""Labels from an archive's metadata, to compare clusters with; nothing is trained on them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from artcluster.archive.database import identifier, quoted
from artcluster.schema import LABEL_METRICS
from artcluster.store import Store
from artcluster.store.members import in_one, split_members
from artcluster.store.views import metadata_columns
from artcluster.workflows.archives import members_of, open_tables
from artcluster.workflows.clustering.assignments import load_model, read_assignments
from artcluster.workflows.clustering.measure import measure_label
from artcluster.workflows.clustering.supervision import read_supervision
from artcluster.workflows.embedding.metadata import check_columns
from artcluster.workflows.job import Job
from artcluster.workflows.results import ClusterSummary
from artcluster.workflows.runs import finished_run


def check_labels(store: Store, columns: Sequence[str]) -> None:
    """Make sure that labels name columns of the metadata.

    Raises:
        UsageError: There is no such column.
    """
    check_columns(columns, metadata_columns(store))


def labels_of(
    job: Job, archive_id: str, columns: Sequence[str], content_ids: pa.Array
) -> dict[str, list[str | None]]:
    """Return a label for each content by each column; None where it has none.

    A content at several paths has the label of the first of them that has one. What a method was
    told of (`cluster.hints`) has none: it would be compared with itself.
    """
    if not columns:
        return {}
    wanted = ", ".join(
        f"arg_min(cast(m.{identifier(name)} as varchar), i.path) as {identifier(name)}"
        for name in columns
    )
    asked = pa.table({"content_id": content_ids, "row": np.arange(len(content_ids))})
    with open_tables(job.store, job.config, "current_images", "current_metadata") as tables:
        tables.register("asked", asked)
        found = tables.sql(
            f"""
            select a.row, {wanted}
            from asked a
            join current_images i on i.content_id = a.content_id
            left join current_metadata m on m.archive_id = i.archive_id and m.path = i.path
            where i.archive_id = {quoted(archive_id)} and i.status = 'ok'
            group by a.row order by a.row
            """
        ).to_arrow_table()
    hints = read_supervision(job, archive_id)
    told = frozenset() if hints is None else hints.contents
    held = [content not in told for content in content_ids.to_pylist()] if told else None
    return {name: _only(_shared(found[name]), held) for name in columns}


def measure_late_labels(job: Job, run: ClusterSummary) -> ClusterSummary:
    """Return a finished run with all configured labels measured; new ones are appended now."""

    def missing(run: ClusterSummary) -> list[str]:
        return [name for name in job.config.cluster.labels if name not in run.metrics["labels"]]

    if not missing(run):
        return run
    with job.lease(f"model={run.model_id}", LABEL_METRICS) as lease:
        # Another job may have measured them while this one waited.
        run = finished_run(job.store, run.run_id) or run
        embedder_id = load_model(job.store, run.model_id).embedder_id
        contents = members_of(job.store, run.archive_id, embedder_id, job.config)
        assigned = read_assignments(job.store, run.model_id, contents)
        pictures, _ = split_members(assigned.content_ids)
        labels = labels_of(job, run.archive_id, missing(run), pictures)
        rows = [
            {
                "run_id": run.run_id,
                "label": name,
                "metrics": json.dumps(measure_label(assigned.assignment.cluster, truth)),
                "created_at": datetime.now(UTC),
            }
            for name, truth in labels.items()
        ]
        if rows:
            table = pa.Table.from_pylist(rows, LABEL_METRICS.schema)
            job.store.append(LABEL_METRICS, table, lease.fence)
    measured = finished_run(job.store, run.run_id)
    assert measured is not None
    return measured


def _shared(texts: pa.ChunkedArray) -> list[str | None]:
    """Return texts in which equal ones are one object: there are few, of many contents."""
    coded = in_one(texts).dictionary_encode()
    words = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    found: list[str | None] = words[coded.indices.fill_null(len(words) - 1).to_numpy()].tolist()
    return found


def _only(labels: list[str | None], held: list[bool] | None) -> list[str | None]:
    if held is None:
        return labels
    return [label if keep else None for label, keep in zip(labels, held, strict=True)]
