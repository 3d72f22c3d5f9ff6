"""Metadata of an archive: read from a user's table into the store, and labels out of it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from artcluster.archive.database import identifier, quoted
from artcluster.archive.metadata import MetadataReport, join_metadata
from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.schema import METADATA
from artcluster.stages.hints import read_hints
from artcluster.stages.job import Job
from artcluster.stages.known import open_tables
from artcluster.stages.scanning import Archive, limits_of
from artcluster.store import Store
from artcluster.store.content_keys import in_one
from artcluster.store.metadata import replace_metadata
from artcluster.store.views import metadata_columns


def import_metadata(job: Job, archive: Archive, scan_id: int) -> None:
    """Join the configured table to an archive's images, unless that is done already.

    Raises:
        UsageError: The table cannot be read, or no column names the image.
    """
    settings = job.config.metadata
    if settings.source is None:
        return
    source = Location.parse(settings.source, job.config.archive.options)
    with job.timings.stage("metadata", unit="rows"):
        with open_tables(job.store, job.config, "current_images") as tables:
            images = tables.sql(
                f"select path from current_images where archive_id = {quoted(archive.archive_id)}"
            ).to_arrow_table()
        joining = join_metadata(
            source,
            archive.location,
            archive.archive_id,
            images,
            column=settings.join,
            encoding=settings.encoding,
            delimiter=settings.delimiter,
            limits=limits_of(job.config),
        )
        lease = job.lease(f"metadata={archive.archive_id}", METADATA)
        with lease, joining as joined:
            replace_metadata(
                job.store,
                archive.archive_id,
                str(source),
                f"{joined.version}\n{scan_id}\n{settings.join}",
                pa.RecordBatchReader.from_batches(joined.schema, joined.batches()),
                lease.fence,
            )
            _tell(job, joined.report)


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
    hints = read_hints(job, archive_id)
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


def _tell(job: Job, report: MetadataReport) -> None:
    matched = sum(report.matched.values())
    job.progress.advance("metadata", matched)
    text = f"Metadata: {matched:,} of {report.rows:,} rows joined"
    if report.unmatched or report.ambiguous:
        examples = (*report.examples["unmatched"], *report.examples["ambiguous"])[:3]
        text += (
            f"; {report.unmatched:,} fit no image, {report.ambiguous:,} fit several "
            f"(such as {', '.join(map(repr, examples))})"
        )
    if report.images_without:
        text += f"; {report.images_without:,} images have none"
    job.progress.say(f"{text}.")
