"""Metadata of an archive: read from a user's table into the store."""

import pyarrow as pa

from artcluster.archive.database import quoted
from artcluster.archive.metadata import MetadataReport, join_metadata
from artcluster.location import Location
from artcluster.schema import METADATA
from artcluster.store.metadata import replace_metadata
from artcluster.workflows.archives import Archive, limits_of, open_tables
from artcluster.workflows.job import Job


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
