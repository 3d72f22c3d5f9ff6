"""`artcluster cluster`: vectors in, clusters out."""

import click

from artcluster.cli.options import (
    archive_option,
    cluster_options,
    executor_option,
    force_option,
    vectors_option,
    with_config,
)
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster cluster store/ --method kmeans --k 20
  artcluster cluster store/ --method delius --k 8 --label style --label genre
  artcluster cluster store/ --method consensus --k 12
  artcluster cluster store/ --method hierarchy --k 30
  artcluster cluster store/ --method guided --k 8 --set cluster.hints=labels.csv
  artcluster cluster store/ --method faces-dbscan
  artcluster cluster store/ --k 12 --parent last
  artcluster cluster store/ --method dcec-paint --k 7 --set embed.cae.max_steps=2000
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@archive_option
@vectors_option
@cluster_options
@force_option
@click.option(
    "--parent",
    metavar="RUN",
    help="A run, or `last`, whose clusters' numbers, names and edits go on; by default none.",
)
@executor_option
@with_config
def cluster(
    store: str,
    archive_id: str | None,
    backbone: str | None,
    force: bool,
    parent: str | None,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Cluster what STORE holds embeddings of.

    Methods that train a network of their own (pca-kmeans, cae-*, dcec*, genre-dec) read the
    pictures again, from where they were embedded.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.show import show
    from artcluster.stages.cluster import cluster_archive, clusters_or_none

    with open_job(config, store, executor, create=False) as job:
        clustered = clusters_or_none(
            lambda: cluster_archive(job, archive_id, backbone, force=force, parent=parent)
        )
    show([clustered], as_json)
