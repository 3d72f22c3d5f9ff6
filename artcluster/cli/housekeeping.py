"""What a store holds and whether it is whole: state, unusable files, and what nobody needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from artcluster.cli.options import with_config
from artcluster.cli.tables import in_bytes, new_console, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artcluster.config import Config
    from artcluster.workflows.housekeeping.check import CheckSummary
    from artcluster.workflows.housekeeping.status import LeftOutFiles
    from artcluster.workflows.housekeeping.vacuum import VacuumSummary


def show_vacuum(summary: VacuumSummary, json_wanted: bool) -> None:
    """Print what goes, with counts and bytes, and what stays and why."""
    if json_wanted:
        print_json(asdict(summary))
        return
    console = new_console()
    rows = [
        (
            f"{removal.count:,} {removal.unit}",
            in_bytes(removal.size_bytes) if removal.size_bytes else "–",
            removal.why,
        )
        for removal in summary.removals
    ]
    if rows:
        total = sum(removal.size_bytes for removal in summary.removals)
        rows.append(("altogether", in_bytes(total), ""))
        title = "Would be removed (dry run; --yes removes)" if summary.dry else "Removed"
        print_table(console, title, ("what", "bytes", "why"), rows)
    else:
        console.print("There is nothing to remove.\n")
    if summary.kept:
        print_table(console, "Kept", ("item and reason",), [(words,) for words in summary.kept])


_REJECTS_EPILOG = """\b
Examples:
  artcluster rejects store/
  artcluster rejects store/ --reason truncated --limit 1000
  artcluster rejects store/ --paths > files.txt
"""


@click.command(epilog=_REJECTS_EPILOG)
@click.argument("store")
@click.option("--archive-id", metavar="NAME", help="Only list files of this archive.")
@click.option("--reason", metavar="CODE", help="Only list files rejected for this reason.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    help="Files to list at most per reason (default: 20; all with --paths and --json).",
)
@click.option("--paths", is_flag=True, help="Print addresses only, one per line.")
@with_config
def rejects(
    store: str,
    archive_id: str | None,
    reason: str | None,
    limit: int | None,
    paths: bool,
    config: Config,
    as_json: bool,
) -> None:
    """List the files of STORE that were rejected or could not be read, with the reason."""
    from artcluster.store import Store
    from artcluster.workflows.viewing.rejects import rejected_files

    opened = Store.open(store, options=config.store.options)
    most = limit or (None if paths or as_json else 20)
    groups = rejected_files(opened, config, archive_id=archive_id, reason=reason, limit=most)
    if as_json:
        print_json([group.as_json() for group in groups])
        return
    if paths:
        for group in groups:
            for file in group.files:
                click.echo(file.uri)
        return
    console = new_console()
    if not groups:
        console.print("No file was rejected, and none could not be read.")
    for group in groups:
        shown = "" if len(group.files) == group.count else f", {len(group.files):,} of them shown"
        print_table(
            console,
            f"{group.reason}: {group.count:,}{shown}. {group.advice}",
            ("file", "stage", "detail"),
            [(file.path, file.stage, file.detail) for file in group.files],
        )


def show_left_out(found: Mapping[str, LeftOutFiles], json_wanted: bool) -> None:
    """Print what was not listed, for each archive."""
    if json_wanted:
        print_json({archive_id: asdict(files) for archive_id, files in found.items()})
        return
    console = new_console()
    for archive_id, files in found.items():
        if not files.counts:
            console.print(f"Archive {archive_id}: nothing was left out.\n", markup=False)
            continue
        reasons = [
            (reason, f"{count:,}", files.meanings[reason]) for reason, count in files.counts.items()
        ]
        print_table(console, f"Left out of {archive_id}", ("reason", "files", "meaning"), reasons)
        print_table(console, "Files", ("reason", "path"), files.paths)


_STATUS_EPILOG = """\b
Examples:
  artcluster status store/
  artcluster status s3://museum/store --json
  artcluster status store/ --left-out
"""


@click.command(epilog=_STATUS_EPILOG)
@click.argument("store")
@click.option(
    "--left-out",
    "list_left_out",
    is_flag=True,
    help="List the files that the last listing of each archive left out, and why.",
)
@with_config
def status(
    store: str,
    list_left_out: bool,
    config: Config,
    as_json: bool,
) -> None:
    """Show what STORE holds, what a job left unfinished, and who writes to it now."""
    from artcluster.cli.show import show_status
    from artcluster.store import Store
    from artcluster.workflows.housekeeping.status import left_out, store_status

    opened = Store.open(store, options=config.store.options)
    if list_left_out:
        show_left_out(left_out(opened), as_json)
        return
    show_status(store_status(opened, config), as_json)


_CHECK_EPILOG = """\b
Examples:
  artcluster check store/
  artcluster check store/ --repair
  artcluster check s3://museum/store --quick --json
"""


@click.command(epilog=_CHECK_EPILOG)
@click.argument("store")
@click.option("--repair", is_flag=True, help="Take damaged files out of STORE.")
@click.option("--quick", is_flag=True, help="Compare sizes only, without reading files of tables.")
@with_config
def check(
    store: str,
    repair: bool,
    quick: bool,
    config: Config,
    as_json: bool,
) -> None:
    """Check that every file of STORE is there and whole; with --repair, take out what is not.

    The next jobs make again what was taken out. Nothing that is whole is removed. Exits with 1
    where damage is left.
    """
    from artcluster.cli.console import progress_for_terminal
    from artcluster.store import Store
    from artcluster.workflows.housekeeping.check import check_store

    opened = Store.open(store, options=config.store.options)
    with progress_for_terminal() as progress:
        summary = check_store(opened, progress, repair=repair, quick=quick)
    show_check(summary, as_json)
    if any(not (repair and damage.repairable) for damage in summary.damages):
        raise click.exceptions.Exit(1)


def show_check(summary: CheckSummary, json_wanted: bool) -> None:
    """Print what is damaged, and what taking it out costs."""
    if json_wanted:
        print_json(asdict(summary))
        return
    console = new_console()
    size = in_bytes(summary.size_bytes)
    console.print(f"{summary.files:,} files ({size}) checked.\n", highlight=False)
    if summary.damages:
        title = "Damaged (--repair takes these out)"
        rows = [
            (damage.path, damage.problem, ("" if damage.repairable else "left: ") + damage.cost)
            for damage in summary.damages
        ]
        if summary.repaired:
            title = "Damaged, and taken out"
        print_table(console, title, ("file", "problem", "cost"), rows)
    if summary.incomplete:
        print_table(console, "Incomplete", ("what", "it lacks"), list(summary.incomplete.items()))
    if not summary.damages and not summary.incomplete:
        console.print("Everything is whole.\n")


_EPILOG = """\b
Examples:
  artcluster vacuum store/
  artcluster vacuum store/ --yes
  artcluster vacuum s3://museum/store --yes --set vacuum.keep_runs=10 --set vacuum.keep_days=30
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option("--yes", is_flag=True, help="Remove the listed items (default: only list them).")
@with_config
def vacuum(
    store: str,
    yes: bool,
    config: Config,
    as_json: bool,
) -> None:
    """List what STORE no longer needs, and remove it with --yes.

    Runs past their retention (vacuum.keep_runs, vacuum.keep_days), models that no run uses, files
    that killed jobs left, listings and plans of past nights; small files of many nights are merged.
    Anything that a running or resumable job needs is kept.
    """
    from artcluster.cli.console import progress_for_terminal
    from artcluster.store import Store
    from artcluster.workflows.housekeeping.vacuum import vacuum_store

    opened = Store.open(store, options=config.store.options)
    with progress_for_terminal() as progress:
        summary = vacuum_store(opened, config, progress, dry=not yes)
    show_vacuum(summary, as_json)
