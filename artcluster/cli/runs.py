"""`artcluster runs`: the history of a store."""

import click

from artcluster.cli.options import with_config
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster runs store/
  artcluster runs s3://museum/store --archive-id met --json
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option("--archive-id", metavar="NAME", help="The runs of one archive alone.")
@with_config
def runs(
    store: str,
    archive_id: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """List the runs of STORE, oldest first, with the run that each follows."""
    from artcluster.cli.show_comparison import show_runs
    from artcluster.stages.series import read_runs
    from artcluster.store import Store

    opened = Store.open(store, options=config.store.options)
    show_runs(read_runs(opened, archive_id), as_json)
