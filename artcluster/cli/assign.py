"""`artcluster assign`: the clusters of given pictures, by a stored model."""

import os

import click

from artcluster.cli.options import config_options, resolve_config
from artcluster.errors import UsageError

_EPILOG = """\b
Examples:
  artcluster assign store/ new/portrait.jpg new/bridge.png
  artcluster assign store/ inbox/ --json
  artcluster assign drawings-model/ inbox/
"""


@click.command(epilog=_EPILOG)
@click.argument("store", metavar="STORE|PACKAGE")
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
    """Tell the cluster of each of IMAGES (files or folders) by a model of STORE, or by a PACKAGE.

    Nothing is written.
    """
    from artcluster.cli.show import show_assigned
    from artcluster.location import Location
    from artcluster.stages.artefact import artefact_of_store
    from artcluster.stages.assign import assign_by
    from artcluster.stages.package import Package, is_package
    from artcluster.store import Store

    config = resolve_config(config_file, overrides, storage_options, {})
    place = Location.parse(store, config.store.options)
    if is_package(place):
        artefact = Package.open(place).artefact
        if model_id not in (None, artefact.model_id):
            raise UsageError(f"--model: the package {place} has the model {artefact.model_id!r}")
    else:
        artefact = artefact_of_store(Store.open(place), model_id)
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    show_assigned(list(assign_by(artefact, images, config, threads)), as_json)
