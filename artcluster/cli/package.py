"""`artcluster package`: a model as a folder that works without its store."""

from dataclasses import asdict

import click

from artcluster.cli.options import with_config
from artcluster.config import Config
from artcluster.errors import UsageError

_EPILOG = """\b
Examples:
  artcluster package store/ drawings-model/
  artcluster package store/ kmeans-d7d0843d46fc s3://museum/models/drawings
  artcluster assign drawings-model/ inbox/
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.argument("model", nargs=-1, metavar="[MODEL]")
@click.argument("folder", metavar="DIR")
@with_config
def package(
    store: str,
    model: tuple[str, ...],
    folder: str,
    config: Config,
    as_json: bool,
) -> None:
    """Write a MODEL of STORE into DIR: weights, centroids, thresholds, preprocessing, a README.

    MODEL is a model's or a run's name; by default the last run's. `artcluster assign DIR IMAGES`
    then works anywhere, without the store.
    """
    from artcluster.cli.printing import new_console, print_json, print_rows
    from artcluster.location import Location
    from artcluster.stages.package_model import package_model
    from artcluster.store import Store

    if len(model) > 1:
        raise UsageError(f"expected STORE [MODEL] DIR, got {len(model) + 2} arguments")
    opened = Store.open(store, options=config.store.options)
    location = Location.parse(folder, config.store.options)
    facts = package_model(opened, model[0] if model else None, location, config)
    if as_json:
        print_json(asdict(facts))
        return
    rows = [
        ("model", f"{facts.model_id}, {facts.k} clusters"),
        ("embedder", facts.embedder_id),
        ("run", facts.run_id or "none"),
        ("files", ", ".join(sorted(facts.files))),
    ]
    print_rows(new_console(), f"Package {location}", rows)
