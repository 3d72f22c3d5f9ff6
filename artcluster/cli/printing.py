"""Tables and numbers as people read them at a terminal, and JSON for machines."""

import json
from collections.abc import Iterable, Sequence

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


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
    console: Console, title: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]
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


def number(value: float | None) -> str:
    """Write a number for people; a dash for none."""
    return "–" if value is None else f"{value:,.3f}" if abs(value) < 1000 else f"{value:,.0f}"


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
