"""The pictures that a study looks at: those with a label, or a sample of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from artcluster.archive.database import identifier, quoted
from artcluster.errors import UsageError
from artcluster.workflows.archives import open_tables
from artcluster.workflows.clustering.labels import check_labels
from artcluster.workflows.job import Job

OTHERS = "others"
_EXAMPLES = 5
_MOST_LABELS = 1000


@dataclass(frozen=True)
class SampleSpec:
    """Which pictures.

    Attributes:
        groups: Group of each of its values, which stands for it then; a value without a group is
            left out. None or empty to take the values themselves.
        top_labels: Only so many most frequent labels.
        min_images: Labels with fewer images are left out.
        pool_below: Labels with fewer images become `others`, before anything is left out.
        of_column: Only the most frequent values of this column, `top_values` of them.
        top_values: None for all.
        max_images: A sample of each label past it.
    """

    label: str
    groups: Mapping[str, str] | None = None
    top_labels: int | None = None
    min_images: int = 1
    pool_below: int = 0
    of_column: str | None = None
    top_values: int | None = None
    max_images: int = 100_000
    seed: int = 0


@dataclass(frozen=True)
class LabelledSample:
    """Distinct contents with their labels, in the order of their content_ids.

    Attributes:
        paths: The first path of each.
        uris: Where it lies.
        sizes: Bytes of each file in the listing, where known.
        counts: Images of each label before sampling, most frequent first.
        notes: What was left out or pooled, in words.
    """

    content_ids: tuple[str, ...]
    paths: tuple[str, ...]
    uris: tuple[str, ...]
    sizes: tuple[int | None, ...]
    labels: tuple[str, ...]
    counts: Mapping[str, int]
    notes: tuple[str, ...]


def draw_sample(job: Job, archive_id: str, wanted: SampleSpec) -> LabelledSample:
    """Find the labelled pictures of an archive; of too many, draw a sample of each label.

    What is left out is told. A content at several paths has the label of the first of them that
    has one. Joins and sorting
    spill to disk; only the sample comes into memory.

    Raises:
        UsageError: A column is not there, has too many values to study, or fewer than two
            pictures are left.
    """
    columns = (wanted.label, wanted.of_column)
    check_labels(job.store, [each for each in columns if each is not None])
    with (
        job.timings.stage("gather"),
        open_tables(job.store, job.config, "current_images", "current_metadata") as tables,
    ):
        _label(tables, archive_id, wanted)
        notes = _leave_out(tables, wanted)
        counts = dict(
            tables.execute(
                "SELECT label, count(*) FROM labelled GROUP BY label ORDER BY 2 DESC, 1"
            ).fetchall()
        )
        if len(counts) > _MOST_LABELS:
            raise UsageError(
                f"{wanted.label!r} has {len(counts):,} values: a study goes by a column of at most "
                f"{_MOST_LABELS:,}; pool or leave out rare ones, or choose another column"
            )
        images = sum(counts.values())
        if images < 2:
            raise UsageError(
                f"there are too few images to study by {wanted.label!r}: {images:,} left; "
                f"{' '.join(notes) or 'no image has a value in this column'}"
            )
        share = min(1.0, wanted.max_images / images)
        if share < 1:
            notes.append(f"A sample of {share:.1%} of each label, of {images:,} images.")
        rows = tables.execute(
            f"""
            SELECT content_id, path, uri, size_bytes, label FROM (
                SELECT *, count(*) OVER (PARTITION BY label) AS images, row_number() OVER (
                    PARTITION BY label ORDER BY md5(content_id || '{wanted.seed:d}'), content_id
                ) AS nth FROM labelled
            ) WHERE nth <= greatest(2, floor(images * {share!r})) ORDER BY content_id
            """
        ).fetchall()
    for note in notes:
        job.progress.say(note)
    content_ids, paths, uris, sizes, labels = zip(*rows, strict=True)
    return LabelledSample(content_ids, paths, uris, sizes, labels, counts, tuple(notes))


def _label(tables: duckdb.DuckDBPyConnection, archive_id: str, wanted: SampleSpec) -> None:
    """Make the table `contents`: distinct contents with label and the other column's value."""

    def first(column: str | None) -> str:
        if column is None:
            return "NULL"
        return f"arg_min(nullif(trim(cast(m.{identifier(column)} AS varchar)), ''), i.path)"

    tables.execute(
        f"""
        CREATE TEMP TABLE contents AS
        SELECT i.content_id, min(i.path) AS path, arg_min(i.uri, i.path) AS uri,
            arg_min(i.size_bytes, i.path) AS size_bytes,
            {first(wanted.label)} AS label, {first(wanted.of_column)} AS other
        FROM current_images i
        LEFT JOIN current_metadata m ON m.archive_id = i.archive_id AND m.path = i.path
        WHERE i.archive_id = {quoted(archive_id)} AND i.status = 'ok' GROUP BY i.content_id
        """
    )


def _leave_out(tables: duckdb.DuckDBPyConnection, wanted: SampleSpec) -> list[str]:
    """Make the table `labelled` of those that are wanted; return what was done, in words."""
    notes = []
    if wanted.groups:
        pairs = pa.table({"value": list(wanted.groups), "name": list(wanted.groups.values())})
        tables.register("label_groups", pairs)
        tables.execute(
            "UPDATE contents SET label = (SELECT name FROM label_groups WHERE value = label)"
        )
    ((images, unlabelled),) = tables.execute(
        "SELECT count(*), count(*) FILTER (label IS NULL) FROM contents"
    ).fetchall()
    if unlabelled:
        notes.append(f"{unlabelled:,} of {images:,} images have no {wanted.label}: left out.")
    tables.execute("CREATE TEMP TABLE labelled AS FROM contents WHERE label IS NOT NULL")
    if wanted.of_column is not None and wanted.top_values is not None:
        kept = (
            "(SELECT other FROM contents WHERE other IS NOT NULL GROUP BY other "
            f"ORDER BY count(*) DESC, other LIMIT {wanted.top_values:d})"
        )
        gone = _delete(tables, f"other IS NULL OR other NOT IN {kept}")
        notes.append(
            f"{gone:,} images outside the {wanted.top_values} most frequent values of "
            f"{wanted.of_column}: left out."
        )
    rare = f"(SELECT label FROM labelled GROUP BY label HAVING count(*) < {wanted.pool_below:d})"
    pooled = [label for (label,) in tables.execute(f"FROM {rare} ORDER BY label").fetchall()]
    if pooled:
        tables.execute(f"UPDATE labelled SET label = {quoted(OTHERS)} WHERE label IN {rare}")
        notes.append(
            f"{_some(pooled)}: fewer than {wanted.pool_below:,} images each, pooled as {OTHERS}."
        )
    single = f"(SELECT label FROM labelled GROUP BY label HAVING count(*) < {wanted.min_images:d})"
    gone_labels = [label for (label,) in tables.execute(f"FROM {single} ORDER BY label").fetchall()]
    if gone_labels:
        gone = _delete(tables, f"label IN {single}")
        notes.append(
            f"{_some(gone_labels)}: fewer than {wanted.min_images:,} images each, left out "
            f"({gone:,} images)."
        )
    if wanted.top_labels is not None:
        kept = (
            "(SELECT label FROM labelled GROUP BY label ORDER BY count(*) DESC, label "
            f"LIMIT {wanted.top_labels:d})"
        )
        gone = _delete(tables, f"label NOT IN {kept}")
        if gone:
            notes.append(
                f"{gone:,} images outside the {wanted.top_labels} most frequent labels: left out."
            )
    return notes


def _delete(tables: duckdb.DuckDBPyConnection, where: str) -> int:
    ((gone,),) = tables.execute(f"DELETE FROM labelled WHERE {where}").fetchall()
    return int(gone)


def _some(labels: list[str]) -> str:
    rest = len(labels) - _EXAMPLES
    return ", ".join(labels[:_EXAMPLES]) + (f" and {rest:,} more" if rest > 0 else "")
