"""`artcluster status`: what a store holds, and what is under way."""

import click

from artcluster.cli.options import with_config
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster status store/
  artcluster status s3://museum/store --json
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@with_config
def status(
    store: str,
    config: Config,
    as_json: bool,
) -> None:
    """Show what STORE holds, what a job left unfinished, and who writes to it now."""
    from artcluster.cli.show import show_status
    from artcluster.stages.status import store_status
    from artcluster.store import Store

    opened = Store.open(store, options=config.store.options)
    show_status(store_status(opened, config), as_json)
