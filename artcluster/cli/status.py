"""`artcluster status`: what a store holds, and what is under way."""

import click

from artcluster.cli.options import config_options, resolve_config

_EPILOG = """\b
Examples:
  artcluster status store/
  artcluster status s3://museum/store --json
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@config_options
def status(
    store: str,
    config_file: str | None,
    overrides: tuple[str, ...],
    storage_options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what STORE holds, what a job left unfinished, and who writes to it now."""
    from artcluster.cli.show import show_status
    from artcluster.location import Location
    from artcluster.stages.status import store_status
    from artcluster.store import Store

    config = resolve_config(config_file, overrides, storage_options, {})
    opened = Store.open(Location.parse(store, config.store.options))
    show_status(store_status(opened, config), as_json)
