"""Labels out of an archive's metadata, for measuring alone."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from artcluster.archive.database import identifier, quoted
from artcluster.errors import UsageError
from artcluster.store import Store
from artcluster.store.members import in_one
from artcluster.store.views import metadata_columns
from artcluster.workflows.archives import open_tables
from artcluster.workflows.clustering.supervision import read_supervision
from artcluster.workflows.job import Job


def check_labels(store: Store, columns: Sequence[str]) -> None:
    """Make sure that labels name columns of the metadata.

    Raises:
        UsageError: There is no such column.
    """
    known = metadata_columns(store)
    for column in columns:
        if column not in known:
            have = f"it has {', '.join(known)}" if known else "there is none: give --metadata"
            raise UsageError(f"label {column!r}: no such column of the metadata; {have}")


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
