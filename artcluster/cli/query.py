"""`artcluster query`: SQL over a store's tables."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click

from artcluster.cli.options import with_config
from artcluster.config import Config
from artcluster.errors import UsageError

_FORMATS = ("table", "csv", "json", "parquet")
_EPILOG = """\b
Examples:
  artcluster query store/ --tables
  artcluster query store/ "SELECT cluster, count(*) FROM latest GROUP BY ALL"
  artcluster query store/ "FROM latest WHERE outlier" --out outliers.csv
  artcluster query s3://museum/store - --format json < question.sql
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.argument("sql", required=False)
@click.option("--tables", "wants_tables", is_flag=True, help="List tables, views and columns.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    help="By default by the ending of --out, else a table.",
)
@click.option("--out", metavar="FILE", help="Write the result there; an existing file is replaced.")
@click.option(
    "--rows", default=50, show_default=True, metavar="N", help="Rows shown of a table, at most."
)
@click.option(
    "--allow-files",
    is_flag=True,
    help="Let the query read other files and addresses (read_csv, read_parquet, …).",
)
@with_config
def query(
    store: str,
    sql: str | None,
    wants_tables: bool,
    format_name: str | None,
    out: str | None,
    rows: int,
    allow_files: bool,
    config: Config,
    as_json: bool,
) -> None:
    """Ask STORE a question in SQL (DuckDB's); "-" reads it from standard input.

    Tables can be read and nothing else: no other file, no extension, no setting.
    """
    from artcluster.cli.result_table import show_relations, show_rows
    from artcluster.search.catalogue import relations
    from artcluster.search.formats import WRITERS
    from artcluster.search.sql import open_for_queries
    from artcluster.search.sql import query as run_query
    from artcluster.store import Store

    if (sql is None) != wants_tables:
        raise UsageError("query: expected either a SELECT or --tables")
    format_name = "json" if as_json else format_name or _format_of(out)
    opened = Store.open(store, options=config.store.options)
    memory_bytes = config.store.memory_bytes
    with open_for_queries(opened, memory_bytes=memory_bytes, allow_files=allow_files) as tables:
        if wants_tables:
            show_relations(relations(tables), format_name == "json")
            return
        text = sys.stdin.read() if sql == "-" else str(sql)
        found = run_query(tables, text, allow_files=allow_files)
        if format_name == "table":
            show_rows(found, rows)
        else:
            with ExitStack() as closing:
                WRITERS[format_name](found, _target(out, format_name, closing))


def _format_of(out: str | None) -> str:
    if out is None:
        return "table"
    ending = Path(out).suffix.lower().removeprefix(".")
    if ending not in _FORMATS[1:]:
        raise UsageError(
            f"--out: expected a file that ends in .csv, .json or .parquet, got {out!r}; or name "
            "the format with --format"
        )
    return ending


def _target(out: str | None, format_name: str, closing: ExitStack) -> BinaryIO:
    """Return where the result is written: standard output, or a file that appears when whole."""
    if out is not None:
        from artcluster.cli.whole_file import whole_file

        return closing.enter_context(whole_file(Path(out)))
    if format_name == "parquet" and sys.stdout.isatty():
        raise UsageError("query: Parquet is not for a terminal; name a file with --out")
    return sys.stdout.buffer
