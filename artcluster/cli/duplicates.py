"""`artcluster duplicates`: pictures that an archive holds more than once."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import click

from artcluster.cli.options import archive_option, executor_option, vectors_option, with_config
from artcluster.cli.tables import new_console, print_rows, print_table

if TYPE_CHECKING:
    from artcluster.config import Config
    from artcluster.workflows.searching.duplicates import Duplicates


def show_duplicates(found: Duplicates, rows: int) -> None:
    """Print what was found, and the first groups."""
    console = new_console()
    exact = sum(group.kind == "exact" for group in found.groups)
    summary = [
        ("images", f"{found.images:,} ({found.contents:,} distinct)"),
        ("groups of exact copies", f"{exact:,}"),
        ("groups of near copies", f"{len(found.groups) - exact:,} (by {found.by})"),
    ]
    if found.unread:
        summary.append(("could not be read", f"{found.unread:,}, left out of the comparison"))
    print_rows(console, f"Duplicates in {found.archive_id}", summary)
    shown = found.groups[:rows]
    table = [
        (
            str(number) if copy is group.copies[0] else "",
            group.kind if copy is group.copies[0] else "",
            copy.path,
            f"{copy.width} x {copy.height}",
            "–" if copy.distance is None else f"{copy.distance:.4f}",
            "–" if copy.hash_bits is None else str(copy.hash_bits),
        )
        for number, group in enumerate(shown, 1)
        for copy in group.copies
    ]
    if table:
        columns = ("group", "kind", "path", "pixels", "distance", "bits")
        print_table(console, "Largest groups", columns, table)
    if len(shown) < len(found.groups):
        console.print(f"{len(found.groups) - len(shown):,} more groups: --rows N, --csv or --json.")


def csv_rows(found: Duplicates) -> Iterator[list[object]]:
    """Yield the header and one row per path."""
    from artcluster.workflows.searching.duplicates import Copy

    yield ["group", "kind", *(field.name for field in fields(Copy))]
    for number, group in enumerate(found.groups, 1):
        for copy in group.copies:
            yield [number, group.kind, *asdict(copy).values()]


_EPILOG = """\b
Examples:
  artcluster duplicates store/
  artcluster duplicates store/ --csv > duplicates.csv
  artcluster duplicates store/ --by embedding --max-distance 0.05
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@archive_option
@vectors_option
@click.option(
    "--by",
    "duplicates_by",
    type=click.Choice(["both", "hash", "embedding"]),
    help="How near-duplicates are detected: perceptual hash and vector (default), or one of them.",
)
@click.option(
    "--max-distance",
    "duplicates_max_distance",
    type=float,
    help="Cosine distance of vectors (default 0.02).",
)
@click.option(
    "--max-hash-bits",
    "duplicates_max_hash_bits",
    type=int,
    help="Differing bits of hashes (default 4 of 64).",
)
@click.option("--rows", default=20, show_default=True, help="Groups to print.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all groups as CSV, one row per path.")
@executor_option
@with_config
def duplicates(
    store: str,
    archive_id: str | None,
    backbone: str | None,
    rows: int,
    as_csv: bool,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """List the pictures of STORE that are there more than once, the largest groups first.

    Exact copies have the same bytes; near ones look the same: encoded anew, resized, retouched.
    Clustering counts each content once, however many paths hold it. Perceptual hashes are computed
    where they are not in the store yet, from the archive itself.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.tables import print_json
    from artcluster.workflows.searching.duplicates import find_duplicates

    with open_job(config, store, executor, create=False) as job:
        found = find_duplicates(job, archive_id, backbone)
    if as_csv:
        csv.writer(sys.stdout).writerows(csv_rows(found))
    elif as_json:
        print_json(asdict(found))
    else:
        show_duplicates(found, rows)
