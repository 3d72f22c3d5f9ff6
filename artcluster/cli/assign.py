"""`artcluster assign`: the clusters of given pictures, by a stored model."""

import os

import click

from artcluster.cli.options import config_options, resolve_config

_EPILOG = """\b
Examples:
  artcluster assign store/ new/portrait.jpg new/bridge.png
  artcluster assign store/ inbox/ --json
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.argument("images", nargs=-1, required=True)
@click.option("--model", "model_id", metavar="ID", help="Which model; by default the last run's.")
@config_options
def assign(
    store: str,
    images: tuple[str, ...],
    model_id: str | None,
    config_file: str | None,
    overrides: tuple[str, ...],
    storage_options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Tell the cluster of each of IMAGES (files or folders) by a model of STORE.

    Nothing is written.
    """
    from artcluster.cli.show import show_assigned
    from artcluster.location import Location
    from artcluster.stages.assign import assign_images
    from artcluster.store import Store

    config = resolve_config(config_file, overrides, storage_options, {})
    opened = Store.open(Location.parse(store, config.store.options))
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    show_assigned(list(assign_images(opened, images, model_id, config, threads)), as_json)
