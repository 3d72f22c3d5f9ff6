"""The terms that a run writes down for its clusters: what stands out in their metadata."""

import pyarrow as pa

from artcluster.archive.database import identifier, quoted
from artcluster.stages.assignments import Assigned
from artcluster.stages.job import Job
from artcluster.stages.known import open_tables
from artcluster.stages.terms import grouping_columns, telling_terms, term_text
from artcluster.store.member_ids import split_members
from artcluster.store.views import metadata_columns


def terms_of_clusters(job: Job, archive_id: str, assigned: Assigned) -> dict[int, list[str]]:
    """Return each cluster's over-represented metadata values, such as `style: aztec`.

    A content at several paths has the metadata of the first.

    Args:
        job: What to work with.
        archive_id: The archive.
        assigned: Every content's cluster.
    """
    wanted = job.config.report.columns
    columns = [name for name in metadata_columns(job.store) if not wanted or name in wanted]
    if not columns:
        return {}
    chosen = ", ".join(
        f"arg_min(m.{identifier(name)}, i.path) AS {identifier(name)}" for name in columns
    )
    pictures, _ = split_members(assigned.content_ids)
    asked = pa.table(
        {
            "member": assigned.content_ids,
            "content_id": pictures,
            "cluster": assigned.assignment.cluster,
        }
    )
    with open_tables(job.store, job.config, "current_images", "current_metadata") as tables:
        tables.register("asked", asked)
        tables.execute(
            f"""
            CREATE TEMP TABLE described AS
            SELECT any_value(a.cluster) AS cluster, {chosen}
            FROM asked a
            JOIN current_images i ON i.content_id = a.content_id
            JOIN current_metadata m ON m.archive_id = i.archive_id AND m.path = i.path
            WHERE i.archive_id = {quoted(archive_id)} AND i.status = 'ok'
            GROUP BY a.member
            """
        )
        found = telling_terms(tables, "described", grouping_columns(tables, "described", columns))
    return {cluster: [term_text(term) for term in terms] for cluster, terms in found.items()}
