"""Similar pictures as tables, or as JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from artcluster.cli.result_table import visible
from artcluster.search.neighbours import Neighbours
from artcluster.stages.similar import Match, Similar


def show_similar(answers: Iterable[Similar], json_wanted: bool) -> None:
    """Print the neighbours of each picture as they are found."""
    if json_wanted:
        between = "["
        for answer in answers:
            click.echo(f"{between}\n{json.dumps(asdict(answer), ensure_ascii=False)}", nl=False)
            between = ","
        click.echo("\n]" if between == "," else "[]")
        return
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
