"""`artcluster vacuum`: what a store no longer needs."""

import click

from artcluster.cli.options import with_config
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster vacuum store/
  artcluster vacuum store/ --yes
  artcluster vacuum s3://museum/store --yes --set vacuum.keep_runs=10 --set vacuum.keep_days=30
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option("--yes", is_flag=True, help="Remove it; without, it is only listed.")
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
    What a job needs that is at work, or broke off and will go on, stays.
    """
    from artcluster.cli.console import progress_for_terminal
    from artcluster.cli.show_vacuum import show_vacuum
    from artcluster.stages.vacuum import vacuum_store
    from artcluster.store import Store

    opened = Store.open(store, options=config.store.options)
    with progress_for_terminal() as progress:
        summary = vacuum_store(opened, config, progress, dry=not yes)
    show_vacuum(summary, as_json)
