"""The table that a profile counts: images with their metadata, in a DuckDB that may spill."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from artcluster.archive.database import identifier, quoted
from artcluster.errors import UsageError
from artcluster.stages.job import Job
from artcluster.stages.known import open_tables
from artcluster.store.views import metadata_columns

_ADDRESS = "user_path"
"""What a metadata file's own column `path` is called: it names the image, no more."""
_STYLE = ("style", "movement", "school", "period", "genre")
_GENRE = ("genre", "type", "subject", "medium")
_YEAR = ("year", "date", "created", "completion", "dating")


@dataclass(frozen=True)
class Images:
    """The table `images_seen`: `content_id`, `uri`, `width`, `height`, `format`, metadata.

    Metadata columns are called c0, c1, …, so that no name of the user's clashes.

    Attributes:
        tables: The connection.
        columns: The metadata columns, by their own names in their order.
        lists: Those that hold lists.
        images: Rows.
        contents: Distinct contents.
    """

    tables: duckdb.DuckDBPyConnection
    columns: Sequence[str]
    lists: frozenset[str]
    images: int
    contents: int

    def name(self, column: str) -> str:
        """Return what a metadata column is called in the table.

        Raises:
            UsageError: There is no such column.
        """
        if column not in self.columns:
            have = ", ".join(self.columns) or "none: give --metadata when embedding"
            raise UsageError(f"no metadata column {column!r}; there are: {have}")
        return f"c{self.columns.index(column)}"

    def values(self, column: str) -> str:
        """Return a query of `content_id` and `value` as text, a row an image and value."""
        name = self.name(column)
        if column in self.lists:
            name = f"unnest(list_distinct({name}))"
        text = "nullif(trim(CAST(value AS VARCHAR)), '')"
        return (
            f"(SELECT content_id, nth, {text} AS value FROM "
            f"(SELECT content_id, nth, {name} AS value FROM images_seen))"
        )

    def decades(self, column: str) -> str:
        """Return the same with the decade of the first year in the value; null without a year."""
        year = r"TRY_CAST(regexp_extract(value, '\b(1\d{3}|20\d{2}|[5-9]\d{2})\b', 1) AS INTEGER)"
        return (
            f"(SELECT content_id, nth, CAST({year} // 10 * 10 AS VARCHAR) || 's' AS value "
            f"FROM {self.values(column)})"
        )


@contextmanager
def open_images(job: Job, archive_id: str) -> Iterator[Images]:
    """Open an archive's usable images with their metadata.

    Raises:
        UsageError: There are none.
    """
    columns = [each for each in metadata_columns(job.store) if each != _ADDRESS]
    users = "".join(f", m.{identifier(name)} AS c{n}" for n, name in enumerate(columns))
    with open_tables(job.store, job.config, "current_images", "current_metadata") as tables:
        tables.execute(
            f"""
            CREATE TEMP TABLE images_seen AS
            SELECT i.content_id, i.uri, i.width, i.height, i.format,
                row_number() OVER () AS nth{users}
            FROM current_images i
            LEFT JOIN current_metadata m ON m.archive_id = i.archive_id AND m.path = i.path
            WHERE i.archive_id = {quoted(archive_id)} AND i.status = 'ok'
            """
        )
        ((images, contents),) = tables.sql(
            "SELECT count(*), count(DISTINCT content_id) FROM images_seen"
        ).fetchall()
        if not images:
            raise UsageError(
                f"the archive {archive_id} has no usable image in the store: run `artcluster "
                "embed` first, or see with `artcluster status` why all were rejected"
            )
        kinds = {name: kind for name, kind, *_ in tables.execute("DESCRIBE images_seen").fetchall()}
        lists = {name for n, name in enumerate(columns) if kinds[f"c{n}"].endswith("[]")}
        yield Images(tables, columns, frozenset(lists), images, contents)


def guess(columns: Sequence[str], asked: str | None, kind: str) -> str | None:
    """Return the column asked for, or the first whose name sounds like it.

    Args:
        columns: To choose from.
        asked: A column, or None to guess.
        kind: `style`, `genre` or `year`.

    >>> guess(["title", "Date of creation", "style"], None, "year")
    'Date of creation'
    """
    if asked is not None:
        return asked
    words = {"style": _STYLE, "genre": _GENRE, "year": _YEAR}[kind]
    for word in words:
        for column in columns:
            if word in column.lower():
                return column
    return None
