"""The page of the map: its points with clusters, metadata, names and thumbnails."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from artcluster.archive.database import identifier
from artcluster.pages.templates import packed, script
from artcluster.workflows.viewing.report.choose import Describe
from artcluster.workflows.viewing.report.members import Members
from artcluster.workflows.viewing.report.page import Report
from artcluster.workflows.viewing.thumbnails import Original

_NAMES_A_SCRIPT = 10_000
_NO_VALUE = 0xFFFF
_LARGE_PX, _SMALL_PX = 128, 64
_MOST_LARGE = 20_000
_CURVE_BITS = 8


def map_px(points: int) -> int:
    """Return the side of small copies in a map of so many points."""
    return _LARGE_PX if points <= _MOST_LARGE else _SMALL_PX


def choose_points(members: Members, most: int) -> int:
    """Make the table `points`, a sample of the members that have a place; return its rows.

    Rows are numbered along a curve through the map within each cluster, so that small copies of
    neighbours share a sheet.
    """
    tables = members.tables
    steps = 2**_CURVE_BITS
    # The contents' hashes are random: taking the first ones is a sample.
    tables.execute(
        f"""
        CREATE TEMP TABLE points AS
        WITH chosen AS (
            SELECT * FROM members WHERE _x IS NOT NULL ORDER BY content_id LIMIT {most}
        ), gridded AS (
            SELECT *, CAST(least({steps - 1}, floor((_x - min(_x) OVER ()) * {steps} /
                greatest(max(_x) OVER () - min(_x) OVER (), 1e-9))) AS INTEGER) AS gx,
            CAST(least({steps - 1}, floor((_y - min(_y) OVER ()) * {steps} /
                greatest(max(_y) OVER () - min(_y) OVER (), 1e-9))) AS INTEGER) AS gy FROM chosen
        )
        SELECT * EXCLUDE (gx, gy), row_number() OVER (
            ORDER BY cluster, {_morton("gx", "gy")}, content_id) - 1 AS _nth FROM gridded
        """
    )
    ((count,),) = tables.sql("SELECT count(*) FROM points").fetchall()
    return int(count)


def point_originals(members: Members) -> list[Original]:
    """Return where the points' contents lie, in their order."""
    rows = members.tables.sql("SELECT content_id, uri FROM points ORDER BY _nth").fetchall()
    return [Original(*row) for row in rows]


def build(report: Report) -> Mapping[str, Any] | None:
    """Write the map's scripts and thumbnails; None where the run has no map."""
    if not report.points:
        return None
    for path, data in _scripts(report):
        report.output.write(path, data)
    contents = report.members.tables.sql("SELECT content_id FROM points").fetchall()
    report.output.sheets(report.map_tiles, (content_id for (content_id,) in contents))
    return {}


def _scripts(report: Report) -> Iterator[tuple[str, bytes]]:
    """Yield the map's scripts by path: positions, then names and columns to load when wanted.

    Points go out in a random order, so that any beginning of them is a sample.
    """
    members, thumbnails = report.members, report.map_tiles
    entries, colours = report.frame.clusters, report.frame.colours
    tables = members.tables
    base = tables.sql(
        "SELECT content_id, cluster, _x, _y FROM points ORDER BY hash(content_id), _nth"
    ).to_arrow_table()
    count = base.num_rows
    contents = base["content_id"].to_pylist()
    x_N, y_N = base["_x"].to_numpy(), base["_y"].to_numpy()
    low = (float(x_N.min()), float(y_N.min()))
    span = max(float(np.ptp(x_N)), float(np.ptp(y_N)), 1e-9)
    order = {entry.cluster: number for number, entry in enumerate(entries)}
    tiles = [thumbnails.get(content) for content in contents]
    sheets = {tile.sheet: 0 for tile in tiles if tile is not None}
    numbers = {sheet: number for number, sheet in enumerate(sheets)}
    cells = thumbnails.grid.cells
    yield (
        "data/map.js",
        script(
            "map",
            {
                "count": count,
                "all": members.images,
                "members": members.noun,
                "x": packed(np.round((x_N - low[0]) / span * 65_535).astype(np.uint16)),
                "y": packed(np.round((y_N - low[1]) / span * 65_535).astype(np.uint16)),
                "cluster": packed(
                    np.array([order[each] for each in base["cluster"].to_pylist()], np.uint16)
                ),
                "tile": packed(
                    np.array(
                        [0 if t is None else 1 + numbers[t.sheet] * cells + t.place for t in tiles],
                        np.uint32,
                    )
                ),
                "width": packed(np.array([t.width if t else 0 for t in tiles], np.uint8)),
                "height": packed(np.array([t.height if t else 0 for t in tiles], np.uint8)),
                "cell": thumbnails.grid.cell_px,
                "columns": thumbnails.grid.columns,
                "sheets": [f"thumbnails/{thumbnails.grid.cell_px}/{name}.webp" for name in sheets],
                "clusters": [
                    [entry.cluster, entry.title, entry.images, *colours[entry.cluster]]
                    for entry in entries
                ],
                "fields": list(report.columns),
                "names": _NAMES_A_SCRIPT,
            },
        ),
    )
    ordered = pa.table({"content_id": contents, "nth": np.arange(count)})
    tables.register("ordered_points", ordered)
    for number, column in enumerate(report.columns):
        yield f"data/field-{number}.js", script(f"field-{number}", _codes(members, column))
    for part, start in enumerate(range(0, count, _NAMES_A_SCRIPT)):
        yield (
            f"data/names-{part}.js",
            script(f"names-{part}", _names(members, report.describe, start)),
        )
    tables.unregister("ordered_points")


def _codes(members: Members, column: str) -> dict[str, object]:
    """Return a column's values, most frequent first, and each point's value by number."""
    name = identifier(column)
    found = members.tables.sql(
        f"SELECT nullif(trim(CAST({name} AS VARCHAR)), '') AS value FROM ordered_points "
        "JOIN points USING (content_id) ORDER BY nth"
    ).to_arrow_table()
    values = found["value"].combine_chunks().cast(pa.string()).dictionary_encode()
    codes_N = values.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.bincount(codes_N[codes_N >= 0], minlength=len(values.dictionary))
    order = np.argsort(-counts, kind="stable")[:_NO_VALUE]
    rank = np.full(len(counts) + 1, _NO_VALUE, np.int64)
    rank[order] = np.arange(len(order))
    texts = values.dictionary.to_pylist()
    return {
        "values": [[texts[place], int(counts[place])] for place in order],
        "codes": packed(rank[codes_N].astype(np.uint16)),
    }


def _names(members: Members, describe: Describe, start: int) -> list[list[str]]:
    """Return content, caption, path and number of some points."""
    wanted = {"path", *filter(None, (describe.title_column, describe.number_column))}
    chosen = ", ".join(f"points.{identifier(name)}" for name in sorted(wanted))
    found = members.tables.sql(
        f"SELECT content_id, {chosen} FROM ordered_points JOIN points USING (content_id) "
        f"WHERE nth >= {start} AND nth < {start + _NAMES_A_SCRIPT} ORDER BY nth"
    ).to_arrow_table()
    return [
        [row["content_id"][:16], describe.caption(row), row["path"], describe.number(row)]
        for row in found.to_pylist()
    ]


def _morton(x: str, y: str) -> str:
    """Return SQL that interleaves the bits of two small numbers."""
    bits = (
        f"((({x} >> {bit}) & 1) << {2 * bit}) | ((({y} >> {bit}) & 1) << {2 * bit + 1})"
        for bit in range(_CURVE_BITS)
    )
    return "(" + " | ".join(f"({each})" for each in bits) + ")"
