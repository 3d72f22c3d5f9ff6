"""`artcluster sort`: a folder of images for each cluster."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from artcluster.cli.options import archive_option, run_option, with_config
from artcluster.config import Config

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
@run_option
@archive_option
@click.option("--copy", is_flag=True, help="Copy images instead of linking to them.")
@click.option("--rejects", is_flag=True, help="Sort rejected files, too, by reason.")
@click.option("--noise", is_flag=True, help="Sort images that belong to no cluster, too.")
@with_config
def sort(
    store: str,
    out: str,
    run_id: str | None,
    archive_id: str | None,
    copy: bool,
    rejects: bool,
    noise: bool,
    config: Config,
    as_json: bool,
) -> None:
    """Sort the images of STORE into OUT, a folder a cluster, named by its number and name."""
    from artcluster.cli.console import progress_for_terminal
    from artcluster.stages.shown import choose_run
    from artcluster.stages.sort import SortSettings, sort_images
    from artcluster.store import Store

    opened = Store.open(store, options=config.store.options)
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
