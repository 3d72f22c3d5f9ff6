"""`artcluster export`: a run's images for other programs."""

import json
from pathlib import Path

import click

from artcluster.cli.options import archive_option, run_option, with_config
from artcluster.config import Config
from artcluster.errors import UsageError

_EPILOG = """\b
Examples:
  artcluster export store/ --to csv --out works.csv
  artcluster export store/ --to embedding-atlas --out atlas.parquet
  artcluster export store/ --to fiftyone --out labels.json

Each row has image, cluster, name, confidence, position on the map where there is one, and
metadata.
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option(
    "--to",
    "program",
    type=click.Choice(["embedding-atlas", "fiftyone", "csv"]),
    required=True,
    help="csv writes Parquet where --out ends in .parquet.",
)
@click.option("--out", metavar="FILE", required=True, help="The file to write.")
@run_option
@archive_option
@click.option("--size", "thumbnail_px", default=128, show_default=True, help="Side of thumbnails.")
@with_config
def export(
    store: str,
    program: str,
    out: str,
    run_id: str | None,
    archive_id: str | None,
    thumbnail_px: int,
    config: Config,
    as_json: bool,
) -> None:
    """Write the images of STORE with clusters and metadata for another program."""
    from artcluster.cli.console import progress_for_terminal
    from artcluster.cli.whole_file import whole_file
    from artcluster.stages.export import EXPORTS, Export
    from artcluster.stages.shown import choose_run
    from artcluster.store import Store

    if not 16 <= thumbnail_px <= 1024:
        raise UsageError(f"--size: expected 16 to 1024, got {thumbnail_px}")
    opened = Store.open(store, options=config.store.options)
    run = choose_run(opened, run_id, archive_id)
    with progress_for_terminal() as progress:
        what = Export(opened, run, config, progress, whole_file, thumbnail_px)
        advice = EXPORTS[program](what, Path(out))
    click.echo(json.dumps({"run_id": run.run_id, "out": out}) if as_json else advice)
