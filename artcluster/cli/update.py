"""`artcluster update`: what is new is embedded and assigned; a refit where it pays."""

from dataclasses import replace

import click

from artcluster.cli.options import (
    archive_options,
    cluster_options,
    dry_run_option,
    executor_option,
    with_config,
)
from artcluster.config import Config, given_over

_EPILOG = """\b
Examples:
  artcluster update photos/ store/
  artcluster update s3://museum/scans s3://museum/store --set update.refit_every_days=30
  artcluster update photos/ store/ --dry-run
  ray job submit --working-dir . -- python jobs/update.py s3://museum/scans s3://museum/store
"""


@click.command(epilog=_EPILOG)
@click.argument("images")
@click.argument("store")
@click.option("--run", "run_id", metavar="ID", help="Follow this run; by default the last one.")
@click.option(
    "--refit/--no-refit", default=None, help="Fit the model again, or do not, whatever has drifted."
)
@click.option(
    "--allow-removals",
    "max_removed_share",
    flag_value=1.0,
    help="However many images are gone, take them for gone; otherwise more than "
    "archive.max_removed_share stops the update.",
)
@archive_options
@cluster_options
@dry_run_option
@executor_option
@with_config
def update(
    images: str,
    store: str,
    run_id: str | None,
    refit: bool | None,
    dry_run: bool,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Bring STORE up to what IMAGES holds now.

    What is new is embedded and assigned by the model of the last run; a model is fitted again
    only past a limit of drift (update.*), and its clusters keep their numbers. Settings are those
    of the last run, where none are given.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.show import show_counts
    from artcluster.cli.show_update import show_update
    from artcluster.stages.archive_settings import inherited_settings
    from artcluster.stages.rejects import check_reject_share
    from artcluster.stages.update import plan_update, update_archive

    with open_job(config, store, executor, create=True, dry=dry_run) as job:
        inherited = inherited_settings(job.store, images, config, run_id)
        job = replace(job, config=given_over(inherited, config))
        if dry_run:
            show_counts(plan_update(job, images, run_id=run_id), as_json)
            return
        updated = update_archive(job, images, run_id=run_id, refit=refit)
    show_update(updated, as_json)
    check_reject_share(updated.embedding, job.config.images.max_reject_share)
