"""`artcluster run`: images in, clusters out."""

import click

from artcluster.cli.options import (
    archive_options,
    cluster_options,
    dry_run_option,
    embed_options,
    executor_option,
    force_option,
    with_config,
)
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster run photos/ store/ --k 12
  artcluster run s3://museum/scans s3://museum/store --metadata works.csv --label style
  artcluster run photos/ store/ --method kmeans --backbone mobilenet_v2 --dry-run
  artcluster run photos/ store/ --config examples/papers/dcec-paint-small.yaml
  ray job submit --working-dir . -- python jobs/run.py s3://museum/scans s3://museum/store
"""


@click.command(epilog=_EPILOG)
@click.argument("images")
@click.argument("store")
@archive_options
@embed_options
@cluster_options
@dry_run_option
@force_option
@executor_option
@with_config
def run(
    images: str,
    store: str,
    dry_run: bool,
    force: bool,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Embed the pictures of IMAGES and cluster them into STORE.

    IMAGES is a folder, a bucket, a glob, or a CSV or Parquet list of URIs. STORE is a folder or
    bucket of its own. What is done already is not done again. Methods that train a network of
    their own on the pictures (pca-kmeans, cae-*, dcec*, genre-dec) have no use for --backbone.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.show import show, show_counts
    from artcluster.stages.cluster import cluster_archive, clusters_or_none
    from artcluster.stages.dry_run import plan_archive
    from artcluster.stages.embed import embed_archive
    from artcluster.stages.hints import check_hints
    from artcluster.stages.methods.own_network import with_own_network
    from artcluster.stages.rejects import check_reject_share

    asked, config = config, with_own_network(config)
    check_hints(config.cluster, config.embed.backbone)
    with open_job(config, store, executor, create=True, dry=dry_run) as job:
        if (
            "backbone" in asked.embed.model_fields_set
            and config.embed.backbone != asked.embed.backbone
        ):
            job.progress.say(
                f"{config.cluster.method} has a network of its own, {config.embed.backbone}: the "
                f"backbone {asked.embed.backbone} is not used."
            )
        if dry_run:
            show_counts(plan_archive(job, images), as_json)
            return
        embedded = embed_archive(job, images)
        archive_id, embedder_id = embedded.archive_id, embedded.embedder_id
        clustered = clusters_or_none(
            lambda: cluster_archive(job, archive_id, embedder_id, force=force)
        )
    show([embedded, clustered], as_json)
    check_reject_share(embedded, config.images.max_reject_share)
