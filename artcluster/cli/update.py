"""`artcluster update`: what is new is embedded and assigned; a refit where it pays."""

from dataclasses import replace
from functools import partial
from typing import Any

import click

from artcluster.cli.options import (
    archive_options,
    cluster_options,
    config_options,
    executor_option,
    resolve_config,
)

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
    is_flag=True,
    help="However many images are gone, take them for gone; otherwise more than "
    "archive.max_removed_share stops the update.",
)
@archive_options
@cluster_options
@click.option("--dry-run", is_flag=True, help="List and plan: counts, bytes, expected time.")
@executor_option
@config_options
def update(
    images: str,
    store: str,
    run_id: str | None,
    refit: bool | None,
    allow_removals: bool,
    dry_run: bool,
    executor: str,
    config_file: str | None,
    overrides: tuple[str, ...],
    storage_options: tuple[str, ...],
    as_json: bool,
    **flags: Any,
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

    if allow_removals:
        overrides = (*overrides, "archive.max_removed_share=1")
    resolve = partial(resolve_config, config_file, overrides, storage_options, flags)
    with open_job(resolve(), store, executor, create=True, dry=dry_run) as job:
        job = replace(
            job, config=resolve(inherited_settings(job.store, images, job.config, run_id))
        )
        if dry_run:
            show_counts(plan_update(job, images, run_id=run_id), as_json)
            return
        updated = update_archive(job, images, run_id=run_id, refit=refit)
    show_update(updated, as_json)
    check_reject_share(updated.embedding, job.config.images.max_reject_share)
