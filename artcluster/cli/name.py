"""`artcluster name`: clusters are given names, which go on with them from run to run."""

import click

from artcluster.cli.options import curation_options, with_config
from artcluster.config import Config
from artcluster.errors import UsageError

_EPILOG = """\b
Examples:
  artcluster name store/ 3 "Drawings"
  artcluster name store/ 3 --remove
  artcluster name store/
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.argument("cluster", type=int, required=False)
@click.argument("name", required=False)
@click.option("--remove", is_flag=True, help="Take the name away.")
@curation_options
@with_config
def name(
    store: str,
    cluster: int | None,
    name: str | None,
    remove: bool,
    archive_id: str | None,
    run_id: str | None,
    who: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Name CLUSTER of STORE; without CLUSTER, list clusters and names.

    A name holds for the cluster in every later update, also where it is fitted again.
    """
    from artcluster.cli.show_curation import show_clusters
    from artcluster.stages.curation import Curation
    from artcluster.store import Store

    opened = Store.open(store, options=config.store.options)
    curation = Curation(opened, config, archive_id, run_id, who)
    if cluster is not None:
        if (name is None) != remove:
            raise UsageError("give a NAME, or --remove to take the cluster's name away")
        curation.name(cluster, name)
    show_clusters(curation, as_json)
