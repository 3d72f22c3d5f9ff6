"""`artcluster assign`: the clusters of given pictures, by a stored model."""

import click

from artcluster.cli.options import with_config
from artcluster.config import Config
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
@with_config
def assign(
    store: str,
    images: tuple[str, ...],
    model_id: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Tell the cluster of each of IMAGES (files or folders) by a model of STORE, or by a PACKAGE.

    Nothing is written.
    """
    from artcluster.cli.show import show_assigned
    from artcluster.location import Location
    from artcluster.stages.artefact import artefact_of_store
    from artcluster.stages.assign import assign_by
    from artcluster.stages.hardware import usable_cpus
    from artcluster.stages.package import Package, is_package
    from artcluster.store import Store

    place = Location.parse(store, config.store.options)
    if is_package(place):
        artefact = Package.open(place).artefact
        if model_id not in (None, artefact.model_id):
            raise UsageError(f"--model: the package {place} has the model {artefact.model_id!r}")
    else:
        artefact = artefact_of_store(Store.open(place), model_id)
    show_assigned(list(assign_by(artefact, images, config, usable_cpus())), as_json)
