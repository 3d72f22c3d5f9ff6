"""Metadata of an archive: read from a user's table into the store."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from artcluster.archive.database import identifier, quoted
from artcluster.archive.metadata import (
    PREFIX,
    MetadataJoin,
    MetadataReport,
    check_table,
    join_metadata,
    stored_name,
)
from artcluster.config import Config
from artcluster.errors import ArchiveError, UsageError, did_you_mean
from artcluster.location import Location
from artcluster.schema import METADATA
from artcluster.store.metadata import (
    column_sql,
    kept_as_text,
    kept_columns,
    last_version,
    replace_metadata,
)
from artcluster.store.views import metadata_columns, shown_name
from artcluster.workflows.archives import Archive, limits_of, open_tables
from artcluster.workflows.job import Job

_SHOWN = 3


def import_metadata(job: Job, archive: Archive, scan_id: int) -> None:
    """Join the configured table to an archive's images, unless that is done already.

    Raises:
        UsageError: The table cannot be read, or no column names the image.
        ArchiveError: It takes the metadata from more images than is allowed.
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
            many=settings.many,
            ignore_folders=settings.ignore_folders,
            as_text=partial(kept_as_text, job.store),
            limits=limits_of(job.config),
        )
        lease = job.lease(f"metadata={archive.archive_id}", METADATA)
        with lease, joining as joined:
            _check_lost(job, archive.archive_id, str(source), images, joined)
            how = settings.model_dump_json(exclude={"source", "max_lost_share"})
            replace_metadata(
                job.store,
                archive.archive_id,
                str(source),
                f"{joined.version}\n{scan_id}\n{how}",
                pa.RecordBatchReader.from_batches(joined.schema, joined.batches()),
                lease.fence,
            )
            job.progress.advance("metadata", sum(joined.report.matched.values()))
            for line in words_for(joined.report):
                job.progress.say(line)


def _check_lost(
    job: Job, archive_id: str, source: str, images: pa.Table, joined: MetadataJoin
) -> None:
    """Refuse a table that takes the metadata from too many of the images that had some by it."""
    last = last_version(job.store, archive_id, source)
    if not last:
        return
    kept = kept_columns(job.store)
    # A label that is gone would be measured against no longer.
    for label in (None, *(each for each in job.config.cluster.labels if each in kept)):
        filled = "true" if label is None else f"{column_sql(kept[label], identifier)} is not null"
        now = joined.paths(label) if label in (None, *joined.schema.names) else _NO_PATHS
        with open_tables(job.store, job.config, METADATA.name) as tables:
            tables.register("present", images)
            tables.register("joined", now)
            ((before, lost),) = tables.sql(
                "select count(*), count(*) filter (where path not in (select path from joined)) "
                f"from (select distinct path from metadata where archive_id = {quoted(archive_id)} "
                f"and metadata_source = {quoted(source)} and metadata_version = {quoted(last)} "
                f"and {filled}) semi join present using (path)"
            ).fetchall()
        check_lost_share(
            job.config,
            f"The table {source}",
            "row" if label is None else f"value of {label!r}",
            lost,
            before,
        )


_NO_PATHS = pa.table({"path": pa.array([], pa.string())})


def check_lost_share(config: Config, what: str, noun: str, lost: int, before: int) -> None:
    """Refuse an input that says nothing any more of too many of the images that it told of.

    Raises:
        ArchiveError: They are more than `metadata.max_lost_share`.
    """
    share = config.metadata.max_lost_share
    if lost > share * before:
        raise ArchiveError(
            f"{what} has no {noun} any more for {lost:,} of the {before:,} images that it had one "
            f"for ({lost / before:.0%}), more than metadata.max_lost_share = {share:g} allows. "
            "What the store has of it stays as it was. Check that the file is whole and of this "
            "archive. If so much was really taken out, start again with --allow-lost-metadata."
        )


def words_for(report: MetadataReport) -> Iterator[str]:
    """Yield what to say of a join, a sentence for each thing that one may want to put right."""

    def some(name: str) -> str:
        return ", ".join(map(repr, report.examples[name][:_SHOWN]))

    joined = sum(report.matched.values())
    rules = [
        f"{rule} {rows:,}" + ("" if rule == "path" else f", such as {some(rule)}")
        for rule, rows in report.matched.items()
    ]
    yield (
        f"Metadata: {joined:,} of {report.rows:,} rows joined to {report.images_with:,} of "
        f"{report.images:,} images" + (f", by {'; '.join(rules)}" if rules else "") + "."
    )
    if report.repeated:
        yield f"Rows that are the same as an earlier one, and count once: {report.repeated:,}."
    if report.rivals:
        yield (
            f"Rows not joined because other rows name the same image: {report.rivals:,} (row: "
            f"image, such as {some('rivals')}). Give each image one row, or choose with "
            "--set metadata.many=first or list."
        )
    if report.ambiguous:
        yield (
            f"Rows not joined because they fit several images: {report.ambiguous:,}, such as "
            f"{some('ambiguous')}. State the images' folders."
        )
    if report.unmatched:
        yield f"Rows that fit no image: {report.unmatched:,}, such as {some('unmatched')}."
    if report.strays:
        yield (
            f"Of these with the file name of an image in another folder: {report.strays:,} (row: "
            f"image, such as {some('strays')}); --set metadata.ignore_folders=true joins by file "
            "name only."
        )
    if report.images_with < report.images:
        without = report.images - report.images_with
        yield f"Images without a row: {without:,}, such as {some('without')}."
    renamed = [
        f"{name!r} is {shown_name(new)!r}"
        for name, new in report.columns.items()
        if shown_name(new) != name
    ]
    if renamed:
        yield f"Columns have other names in the view latest: {', '.join(renamed)}."


def check_metadata(job: Job) -> None:
    """Refuse a table that is not there or names no image, and labels that are no columns.

    Raises:
        UsageError: Nothing was listed or embedded yet.
    """
    settings, known = job.config.metadata, metadata_columns(job.store)
    if settings.source is not None:
        source = Location.parse(settings.source, job.config.archive.options)
        if source.is_local and not Path(source.uri).is_file():
            raise UsageError(f"--metadata: there is no file {settings.source!r}")
        known += check_table(
            source,
            column=settings.join,
            encoding=settings.encoding,
            delimiter=settings.delimiter,
            limits=limits_of(job.config),
        )
    check_columns(job.config.cluster.labels, known)


def check_columns(labels: Sequence[str], known: Sequence[str]) -> None:
    """Refuse labels that are no columns of the metadata.

    Raises:
        UsageError: Names the columns there are.

    >>> check_columns(["stile"], ["genre", "style"])
    Traceback (most recent call last):
    ...
    artcluster.errors.UsageError: label 'stile' (did you mean 'style'?): no such column of the \
metadata; it has genre, style
    """
    for label in labels:
        if label not in known:
            have = f"it has {', '.join(known)}" if known else "there is none: give --metadata"
            meant = [stored_name(label), f"{PREFIX}{label}", label.removeprefix("metadata_")]
            close = next((f" (did you mean {name!r}?)" for name in meant if name in known), "")
            hint = close or did_you_mean(label, known)
            raise UsageError(f"label {label!r}{hint}: no such column of the metadata; {have}")
