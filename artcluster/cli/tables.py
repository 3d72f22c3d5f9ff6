"""A query's rows, and the tables that can be asked, as tables at a terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from artcluster.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from artcluster.store.sql import Relation


def new_console() -> Console:
    """Return a console on standard output."""
    return Console(highlight=False, soft_wrap=False)


def print_rows(console: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values under a title."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column()
    # A path longer than the line goes on in the next: it is there to be copied.
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    _print(console, title, table)
    console.print()


def print_table(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Print a table under a title."""
    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    _print(console, title, table)


def _print(console: Console, title: str, table: Table) -> None:
    console.print(title, style="bold", markup=False, soft_wrap=True)
    console.print(table)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def in_bytes(count: float) -> str:
    """Write a number of bytes for people.

    >>> in_bytes(1_500)
    '2 kB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def print_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; it takes its name when the block ends without an error.

    Raises:
        UsageError: It cannot be written there.
    """
    parts = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with parts.open("xb") as file:
            yield file
        os.replace(parts, path)  # noqa: PTH105
    except OSError as failed:
        raise UsageError(f"cannot write {str(path)!r}: {failed.strerror or failed}") from None
    finally:
        with suppress(OSError):
            parts.unlink(missing_ok=True)


_WIDEST = 48
_GAP = 3
_PLAN = ["explain_key", "explain_value"]
"""Columns of an EXPLAIN, whose rows are drawings."""


def show_rows(rows: pa.RecordBatchReader, limit: int) -> None:
    """Print the first rows of a result, and as many columns as the terminal is wide."""
    from pyarrow.types import is_floating, is_integer

    if rows.schema.names == _PLAN:
        click.echo("\n".join(row[_PLAN[1]] for batch in rows for row in batch.to_pylist()))
        return
    records = list(islice((row for batch in rows for row in batch.to_pylist()), limit + 1))
    shown = [[_cell(record[name]) for name in rows.schema.names] for record in records[:limit]]
    console = Console(highlight=False)
    names = rows.schema.names
    fitting = _fitting(names, shown, console.width)
    table = Table(box=SIMPLE_HEAD)
    for column in range(fitting):
        numeric = is_integer(rows.schema.types[column]) or is_floating(rows.schema.types[column])
        table.add_column(
            Text(visible(names[column])), justify="right" if numeric else "left", overflow="fold"
        )
    for row in shown:
        table.add_row(*(Text(cell) for cell in row[:fitting]))
    console.print(table)
    if fitting < len(names):
        hidden = ", ".join(visible(name) for name in names[fitting:])
        _say(f"{len(names) - fitting} column(s) not shown: {hidden} (--out FILE writes all)")
    if len(records) > limit:
        _say(f"Only the first {limit} rows: --rows N shows more, --out FILE writes all.")
    elif not records:
        _say("No rows.")


def show_relations(relations: Sequence[Relation], json_wanted: bool) -> None:
    """Print tables and views with their columns."""
    if json_wanted:
        click.echo(json.dumps([asdict(each) for each in relations], indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    for relation in relations:
        table = Table(box=None, show_header=False, padding=(0, 2))
        table.add_column(overflow="fold", min_width=16)
        table.add_column(overflow="fold", min_width=10)
        table.add_column(overflow="fold")
        for column in relation.columns:
            table.add_row(Text(visible(column.name)), Text(column.type), Text(column.meaning))
        console.print(Text(f"{relation.name} ({relation.kind})", style="bold"))
        console.print(table)
        console.print()


def visible(text: str) -> str:
    r"""Escape what a terminal would obey instead of showing.

    >>> visible("a\x1b[31mb\nc")
    'a\\x1b[31mb\\nc'
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and len(value) > 4:
        return f"[{', '.join(_cell(each) for each in value[:3])}, … {len(value)} values]"
    if isinstance(value, list):
        return f"[{', '.join(_cell(each) for each in value)}]"
    if isinstance(value, bytes):
        return value.hex()
    return visible(str(value))


def _fitting(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> int:
    """Count the first columns that fit side by side; one at least."""
    used = 0
    for column, name in enumerate(names):
        longest = max([len(name), *(len(row[column]) for row in rows)])
        used += min(longest, _WIDEST) + _GAP
        if used > width and column:
            return column
    return len(names)


def _say(text: str) -> None:
    click.echo(text, err=True)
