"""`artcluster cluster`: vectors in, clusters out."""

from typing import Any

import click

from artcluster.cli.options import (
    cluster_options,
    config_options,
    executor_option,
    resolve_config,
)

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
@click.option("--archive-id", metavar="NAME", help="Which archive, where the store has several.")
@click.option("--backbone", metavar="NAME", help="Whose vectors, where the store has several.")
@cluster_options
@click.option("--force", is_flag=True, help="Make another run where this one exists already.")
@click.option(
    "--parent",
    metavar="RUN",
    help="A run, or `last`, whose clusters' numbers, names and edits go on; by default none.",
)
@executor_option
@config_options
def cluster(
    store: str,
    archive_id: str | None,
    backbone: str | None,
    force: bool,
    parent: str | None,
    executor: str,
    config_file: str | None,
    overrides: tuple[str, ...],
    storage_options: tuple[str, ...],
    as_json: bool,
    **flags: Any,
) -> None:
    """Cluster what STORE holds embeddings of.

    Methods that train a network of their own (pca-kmeans, cae-*, dcec*, genre-dec) read the
    pictures again, from where they were embedded.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.show import show
    from artcluster.stages.cluster import cluster_archive, clusters_or_none

    config = resolve_config(config_file, overrides, storage_options, flags)
    with open_job(config, store, executor, create=False) as job:
        clustered = clusters_or_none(
            lambda: cluster_archive(job, archive_id, backbone, force=force, parent=parent)
        )
    show([clustered], as_json)
