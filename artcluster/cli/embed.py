"""`artcluster embed`: images in, vectors out."""

import click

from artcluster.cli.options import (
    archive_options,
    dry_run_option,
    embed_options,
    executor_option,
    with_config,
)
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster embed photos/ store/ --backbone resnet50
  artcluster embed 's3://museum/**/*.tif' s3://museum/store --dry-run
"""


@click.command(epilog=_EPILOG)
@click.argument("images")
@click.argument("store")
@archive_options
@embed_options
@dry_run_option
@executor_option
@with_config
def embed(
    images: str,
    store: str,
    dry_run: bool,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Embed the pictures of IMAGES into STORE, without clustering them."""
    from artcluster.cli.session import open_job
    from artcluster.cli.show import show, show_counts
    from artcluster.stages.dry_run import plan_archive
    from artcluster.stages.embed import embed_archive
    from artcluster.stages.rejects import check_reject_share

    with open_job(config, store, executor, create=True, dry=dry_run) as job:
        if dry_run:
            show_counts(plan_archive(job, images), as_json)
            return
        embedded = embed_archive(job, images)
    show([embedded], as_json)
    check_reject_share(embedded, config.images.max_reject_share)
