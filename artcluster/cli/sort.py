"""`artcluster sort`: a folder of images for each cluster."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from artcluster.cli.options import config_options, resolve_config

_EPILOG = """\b
Examples:
  artcluster sort store/ sorted/
  artcluster sort store/ sorted/ --copy --rejects
  artcluster sort s3://museum/store sorted/ --run 39d207b4

Links are made where the archive lies on this machine's disks, copies elsewhere. The same
command again brings the folders up to the store: it removes what it made before and nothing
else.
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.argument("out")
@click.option("--run", "run_id", metavar="ID", help="Which run; by default the last one.")
@click.option("--archive-id", metavar="NAME", help="Which archive, where the store has several.")
@click.option("--copy", is_flag=True, help="Copy images instead of linking to them.")
@click.option("--rejects", is_flag=True, help="Sort rejected files, too, by reason.")
@click.option("--noise", is_flag=True, help="Sort images that belong to no cluster, too.")
@config_options
def sort(
    store: str,
    out: str,
    run_id: str | None,
    archive_id: str | None,
    copy: bool,
    rejects: bool,
    noise: bool,
    config_file: str | None,
    overrides: tuple[str, ...],
    storage_options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Sort the images of STORE into OUT, a folder a cluster, named by its number and name."""
    from artcluster.cli.console import progress_for_terminal
    from artcluster.location import Location
    from artcluster.stages.shown import choose_run
    from artcluster.stages.sort import SortSettings, sort_images
    from artcluster.store import Store

    config = resolve_config(config_file, overrides, storage_options, {})
    opened = Store.open(Location.parse(store, config.store.options))
    run = choose_run(opened, run_id, archive_id)
    settings = SortSettings(copy, rejects, noise)
    with progress_for_terminal() as progress:
        summary = sort_images(opened, run, Path(out), settings, config, progress)
    if as_json:
        click.echo(json.dumps(asdict(summary), indent=2))
        return
    click.echo(f"{out}: {summary.files:,} images in {summary.folders:,} folders")
    for count, words in (
        (summary.made, "made now"),
        (summary.removed, "removed, of an earlier sorting"),
        (summary.left_alone, "not sorted: a file of another origin has the name"),
        (summary.missing, "not sorted: gone, unreadable, or changed since"),
    ):
        if count:
            click.echo(f"  {count:,} {words}")
