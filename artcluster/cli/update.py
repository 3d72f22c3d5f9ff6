"""`artcluster update`: what is new is embedded and assigned; a refit where it pays."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from artcluster.cli.history import change_rows, image_rows
from artcluster.cli.options import (
    archive_options,
    cluster_options,
    dry_run_option,
    executor_option,
    with_config,
)
from artcluster.cli.show import members_of, unread_rows
from artcluster.cli.tables import new_console, print_json, print_rows, print_table

if TYPE_CHECKING:
    from artcluster.config import Config
    from artcluster.lineage.drift import Drift
    from artcluster.workflows.growing.update import UpdateSummary

_DONE = {
    "first run": "First run",
    "nothing new": "Nothing new: no run was made",
    "model kept": "Updated; the model was kept",
    "refitted": "Updated; the model was fitted again",
}


def show_update(summary: UpdateSummary, json_wanted: bool) -> None:
    """Print an update."""
    if json_wanted:
        print_json(asdict(summary))
        return
    console = new_console()
    embedding, run = summary.embedding, summary.run
    rows = [
        ("archive", f"{embedding.archive_id}, scan {embedding.scan_id}"),
        ("run", run.run_id + (f", after {summary.parent}" if summary.parent else "")),
        ("model", run.model_id),
        ("images", f"{run.images:,} ({members_of(run)})"),
        ("embedded now", f"{embedding.embedded:,}"),
    ]
    rows += [(f"rejected: {why}", f"{count:,}") for why, count in embedding.rejects.items()]
    rows += unread_rows(embedding)
    rows += [("because" if number == 0 else "", why) for number, why in enumerate(summary.reasons)]
    print_rows(console, _DONE[summary.outcome], rows)
    changes = summary.changes
    if changes is not None:
        print_rows(console, "Images since the run before", image_rows(changes.images))
    if summary.drift is not None and summary.drift_since_fit is not None:
        names = ("measure", f"since {summary.parent}", f"since the fit, {summary.fitted_in}")
        table = zip(_words(summary.drift), _words(summary.drift_since_fit), strict=True)
        print_table(console, "Drift", names, [(*before, since[1]) for before, since in table])
    if changes is not None and summary.outcome == "refitted":
        console.print(
            f"{changes.kept_share or 0:.1%} of the images that both runs have kept their "
            f"cluster's number; no relabelling could keep more than {changes.best_share or 0:.1%}; "
            f"ARI {changes.ari or 0:.3f}.\n",
            markup=False,
        )
        columns = ("before", "now", "what", "members shared", "of", "in")
        print_table(console, "Clusters", columns, change_rows(changes))
    gone = [] if changes is None else changes.gone_names
    for cluster, name in gone:
        console.print(f"Cluster {cluster}, {name!r}, no longer exists.", markup=False)
    seconds = [(name, f"{spent:.1f}") for name, spent in summary.seconds.items()]
    print_rows(console, "Time per stage (s)", seconds)


def _words(drift: Drift) -> list[tuple[str, str]]:
    ratio = "–" if drift.distance_ratio is None else f"×{drift.distance_ratio:.3f}"
    return [
        ("low confidence", f"{100 * drift.low_confidence_rise:+.1f} points"),
        ("outliers", f"{100 * drift.outlier_rise:+.1f} points"),
        ("shift of cluster sizes", f"{drift.size_shift:.1%} (PSI {drift.size_psi:.3f})"),
        ("mean distance", ratio),
        ("growth", f"{drift.growth:+.1%}"),
    ]


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
@click.option("--run", "run_id", metavar="ID", help="Run to follow (default: the last).")
@click.option(
    "--refit/--no-refit", default=None, help="Force or forbid a refit, regardless of drift."
)
@click.option(
    "--allow-removals",
    "max_removed_share",
    flag_value=1.0,
    help="Accept any number of removed images; otherwise more than archive.max_removed_share stops "
    "the update.",
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
    """Update STORE to match the current contents of IMAGES.

    New images are embedded and assigned by the model of the last run. The model is refitted only
    past a limit of drift (update.*), and its clusters keep their numbers. Settings that are not
    given are those of the last run.
    """
    from artcluster.cli.session import open_job
    from artcluster.cli.show import show_counts
    from artcluster.workflows.embedding.shares import check_reject_share
    from artcluster.workflows.growing.update import plan_update, update_archive
    from artcluster.workflows.run import with_inherited_settings

    with open_job(config, store, executor, create=True, dry=dry_run) as job:
        job = with_inherited_settings(job, images, run_id)
        if dry_run:
            show_counts(plan_update(job, images, run_id=run_id), as_json)
            return
        updated = update_archive(job, images, run_id=run_id, refit=refit)
    show_update(updated, as_json)
    check_reject_share(updated.embedding, job.config.images.max_reject_share)
