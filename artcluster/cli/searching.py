"""`artcluster query`: SQL over a store's tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from artcluster.cli.options import vectors_option, with_config
from artcluster.cli.tables import visible
from artcluster.errors import UsageError

if TYPE_CHECKING:
    from artcluster.config import Config
    from artcluster.workflows.searching.neighbours import Neighbours
    from artcluster.workflows.searching.similar import Match, Similar


def show_similar(answers: Iterable[Similar], json_wanted: bool) -> None:
    """Print the neighbours of each picture as they are found."""
    if json_wanted:
        between = "["
        for answer in answers:
            click.echo(f"{between}\n{json.dumps(asdict(answer), ensure_ascii=False)}", nl=False)
            between = ","
        click.echo("\n]" if between == "," else "[]")
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for answer in answers:
        console.print(Text(visible(answer.asked), style="bold"))
        if answer.reason:
            console.print(Text(f"  not usable: {visible(answer.reason)}\n"))
            continue
        table = Table(box=SIMPLE_HEAD)
        table.add_column("distance", justify="right")
        table.add_column("image", overflow="fold")
        table.add_column("cluster", overflow="fold")
        for match in answer.matches:
            table.add_row(f"{match.distance:.4f}", Text(_image(match)), Text(_cluster(match)))
        console.print(table)


def show_index(neighbours: Neighbours, json_wanted: bool) -> None:
    """Print what is known of the index."""
    facts = neighbours.index_facts
    if json_wanted:
        click.echo(json.dumps(None if facts is None else asdict(facts), indent=2))
    elif facts is None:
        click.echo(
            f"No index: {neighbours.count:,} vectors are compared one by one, as they are not more "
            "than search.exact_below or FAISS is not installed."
        )
    else:
        click.echo(
            f"{facts.contents:,} of {neighbours.count:,} vectors in {facts.lists:,} lists, of "
            f"which a query reads {facts.probes:,}: recall@10 {facts.recall:.3f}, "
            f"{facts.query_ms:.1f} ms a query when it was built"
        )


def _image(match: Match) -> str:
    more = f" (and {match.copies - 1} more)" if match.copies > 1 else ""
    return visible(match.path) + more


def _cluster(match: Match) -> str:
    if match.cluster is None:
        return "–"
    return (
        f"{match.cluster} {visible(match.cluster_name)}"
        if match.cluster_name
        else str(match.cluster)
    )


_SIMILAR_EPILOG = """\b
Examples:
  artcluster similar store/ paintings/sunflowers.jpg
  artcluster similar store/ 3f1a97c2 --top 50 --html neighbours.html
  artcluster similar store/ inbox/ --json
  artcluster similar store/ --words "a ship at sea" --words "an angel" --html found.html
  artcluster similar store/ --refresh

IMAGES are paths of the store's own pictures, content_ids (8 digits at least), or files and
folders anywhere. Past search.exact_below vectors an index is built, kept in the store, and
added to as pictures are; --refresh does that beforehand. --words needs vectors of a CLIP-like
network (--backbone clip:NAME, extra `clip`); its distances are larger than those between pictures.
"""


@click.command(epilog=_SIMILAR_EPILOG)
@click.argument("store")
@click.argument("images", nargs=-1)
@click.option("--words", multiple=True, metavar="TEXT", help="Find pictures that show this.")
@click.option("--top", default=20, show_default=True, help="Neighbours of each picture.")
@vectors_option
@click.option("--archive-id", metavar="NAME", help="Only find pictures of this archive.")
@click.option("--html", metavar="FILE", help="Write a page with thumbnails.")
@click.option("--size", "cell_px", default=160, show_default=True, help="Thumbnail size in pixels.")
@click.option("--refresh", is_flag=True, help="Add new vectors to the index first.")
@with_config
def similar(
    store: str,
    images: tuple[str, ...],
    words: tuple[str, ...],
    top: int,
    backbone: str | None,
    archive_id: str | None,
    html: str | None,
    cell_px: int,
    refresh: bool,
    config: Config,
    as_json: bool,
) -> None:
    """Find pictures in STORE that look like IMAGES or match WORDS."""
    from artcluster.cli.console import progress_for_terminal
    from artcluster.runtime.executor import usable_cpus
    from artcluster.store import Store
    from artcluster.workflows.archives import choose_embedder
    from artcluster.workflows.embedding.embedder import cache_folder
    from artcluster.workflows.searching.similar import find_similar, open_neighbours

    if sum(map(bool, (images, words, refresh))) != 1:
        raise UsageError("similar: expected either IMAGES, --words or --refresh")
    if not all(map(str.strip, words)):
        raise UsageError("--words: expected some words, got none")
    if not 1 <= top <= 10_000:
        raise UsageError(f"--top: expected 1 to 10000, got {top}")
    if not 32 <= cell_px <= 1024:
        raise UsageError(f"--size: expected 32 to 1024, got {cell_px}")
    opened = Store.open(store, options=config.store.options)
    with progress_for_terminal() as progress:
        if refresh:
            embedder_id = choose_embedder(opened, backbone, whole=True)
            neighbours = open_neighbours(opened, embedder_id, config, cache_folder(), progress)
            neighbours.refresh()
        else:
            found = find_similar(
                opened,
                config,
                progress,
                images=images,
                words=words,
                top=top,
                backbone=backbone,
                archive_id=archive_id,
                threads=usable_cpus(),
            )
    if refresh:
        show_index(neighbours, as_json)
        return
    if html is None:
        show_similar(found, as_json)
        return
    from artcluster.cli.tables import whole_file
    from artcluster.workflows.searching.similar import write_similar_page

    with whole_file(Path(html)) as file:
        asked = write_similar_page(found, config, cell_px, file)
    click.echo(f"{html}: {asked} pictures with their neighbours")


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
    help="Output format (default: from the extension of --out, otherwise a table).",
)
@click.option("--out", metavar="FILE", help="Write the result there; an existing file is replaced.")
@click.option(
    "--rows", default=50, show_default=True, metavar="N", help="Maximum number of rows to print."
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
    from artcluster.cli.tables import show_relations, show_rows
    from artcluster.store import Store
    from artcluster.store.formats import WRITERS
    from artcluster.store.sql import open_for_queries, relations
    from artcluster.store.sql import query as run_query

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
        from artcluster.cli.tables import whole_file

        return closing.enter_context(whole_file(Path(out)))
    if format_name == "parquet" and sys.stdout.isatty():
        raise UsageError("query: Parquet is not for a terminal; name a file with --out")
    return sys.stdout.buffer
