"""Counts of a profile: values of metadata, two columns against each other, pixel sizes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from artcluster.archive.database import identifier, quoted
from artcluster.errors import UsageError
from artcluster.store.views import metadata_columns
from artcluster.workflows.archives import open_tables
from artcluster.workflows.job import Job

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
        lists: Those that hold lists.
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
        asked: A column, or None to guess.

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


_SIDES = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_MOST_EXACT = 1_000_000
"""Exact quantiles hold every value in memory; past so many images they are of a t-digest."""


@dataclass(frozen=True)
class ColumnCounts:
    """How often a column has each value.

    Attributes:
        filled: Images with a value.
        values: The most frequent values and their images.
        others: Images with other values; in a column of lists an image counts for each.
    """

    column: str
    filled: int
    distinct: int
    values: Sequence[tuple[str, int]]
    others: int

    @property
    def groups(self) -> bool:
        """Whether the values group images, rather than name single ones."""
        return 1 < self.distinct <= self.filled / 2


@dataclass(frozen=True)
class Cross:
    """Images by the values of two columns.

    Attributes:
        row_column: The rows' column.
        column: The columns' column.
        rows: Values, the most frequent first.
        columns: Values; decades in order.
        counts: A row a value.
    """

    row_column: str
    column: str
    rows: Sequence[str]
    columns: Sequence[str]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Sizes:
    """How large the pictures are.

    Attributes:
        quantiles: By name (width, height, megapixels, width over height): value at each share.
        exact: Whether the quantiles are, rather than approximate.
        sides: Upper ends of steps of width and height in pixels; the last is open.
        by_side: Images by step of height (rows) and of width (columns).
    """

    known: int
    quantiles: dict[str, Sequence[float]]
    shares: Sequence[float]
    exact: bool
    sides: Sequence[int]
    by_side: Sequence[Sequence[int]]
    formats: Sequence[tuple[str, int]]


def count_column(images: Images, column: str, most: int) -> ColumnCounts:
    """Count a column's values."""
    values = images.values(column)
    ((filled, distinct, rows),) = images.tables.sql(
        f"SELECT count(DISTINCT nth), count(DISTINCT value), count(*) FROM {values} "
        "WHERE value IS NOT NULL"
    ).fetchall()
    top = images.tables.sql(
        f"SELECT value, count(*) FROM {values} WHERE value IS NOT NULL GROUP BY value "
        f"ORDER BY 2 DESC, 1 LIMIT {most}"
    ).fetchall()
    return ColumnCounts(column, filled, distinct, top, rows - sum(count for _, count in top))


def count_decades(images: Images, column: str) -> ColumnCounts:
    """Count the decades of a column that holds years or dates, in their order."""
    found = images.tables.sql(
        f"SELECT value, count(*) FROM {images.decades(column)} WHERE value IS NOT NULL "
        "GROUP BY value ORDER BY TRY_CAST(rtrim(value, 's') AS INTEGER)"
    ).fetchall()
    return ColumnCounts(column, sum(count for _, count in found), len(found), found, 0)


def cross(images: Images, row_column: str, column: str, most: int, *, decades: bool) -> Cross:
    """Count images by two columns; past the most frequent values the rest is left out."""
    across = images.decades(column) if decades else images.values(column)
    order = "TRY_CAST(rtrim(value, 's') AS INTEGER)" if decades else "count(*) DESC, value"
    limit = "" if decades else f" LIMIT {most}"
    rows = [
        value
        for (value,) in images.tables.sql(
            f"SELECT value FROM {images.values(row_column)} WHERE value IS NOT NULL "
            f"GROUP BY value ORDER BY count(*) DESC, value LIMIT {most}"
        ).fetchall()
    ]
    columns = [
        value
        for (value,) in images.tables.sql(
            f"SELECT value FROM {across} WHERE value IS NOT NULL GROUP BY value ORDER BY {order}"
            f"{limit}"
        ).fetchall()
    ]
    counted = images.tables.sql(
        f"SELECT a.value, b.value, count(*) FROM {images.values(row_column)} a "
        f"JOIN {across} b USING (nth) WHERE a.value IS NOT NULL AND b.value IS NOT NULL "
        "GROUP BY ALL"
    ).fetchall()
    counts = {(row, value): count for row, value, count in counted}
    return Cross(
        row_column,
        column,
        rows,
        columns,
        [[counts.get((row, value), 0) for value in columns] for row in rows],
    )


def pixel_sizes(images: Images) -> Sizes:
    """Return the distribution of the pictures' sizes."""
    seen = "(SELECT * FROM images_seen WHERE width > 0 AND height > 0)"
    measures = {
        "width (px)": "width",
        "height (px)": "height",
        "megapixels": "width * CAST(height AS DOUBLE) / 1e6",
        "width over height": "width / CAST(height AS DOUBLE)",
    }
    ((known,),) = images.tables.sql(f"SELECT count(*) FROM {seen}").fetchall()
    quantiles: dict[str, Sequence[float]] = {}
    exact = known <= _MOST_EXACT
    function = "quantile_cont" if exact else "approx_quantile"
    for name, formula in measures.items():
        ((found,),) = images.tables.sql(
            f"SELECT {function}(CAST({formula} AS DOUBLE), {list(_QUANTILES)}) FROM {seen}"
        ).fetchall()
        quantiles[name] = list(found) if found is not None else []
    step = " ".join(f"WHEN {{}} <= {side} THEN {n}" for n, side in enumerate(_SIDES))
    width, height = (
        f"CASE {step.replace('{}', side)} ELSE {len(_SIDES)} END" for side in ("width", "height")
    )
    by_side = [[0] * (len(_SIDES) + 1) for _ in range(len(_SIDES) + 1)]
    for row, column, count in images.tables.sql(
        f"SELECT {height}, {width}, count(*) FROM {seen} GROUP BY ALL"
    ).fetchall():
        by_side[row][column] = count
    formats = images.tables.sql(
        "SELECT coalesce(format, 'unknown'), count(*) FROM images_seen GROUP BY 1 ORDER BY 2 DESC"
    ).fetchall()
    return Sizes(known, quantiles, _QUANTILES, exact, _SIDES, by_side, formats)
