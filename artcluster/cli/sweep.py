"""`artcluster sweep`: which number of clusters."""

from typing import Any

import click

from artcluster.cli.options import config_options, executor_option, resolve_config

_EPILOG = """\b
Examples:
  artcluster sweep store/ --method kmeans --k 2:20
  artcluster sweep store/ --method delius --k 2:10 --presets examples/small
  artcluster sweep store/ --k 3,6,12 --where "artist = 'Pablo Picasso'" --json
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option("--archive-id", metavar="NAME", help="Which archive, where the store has several.")
@click.option("--backbone", metavar="NAME", help="Whose vectors, where the store has several.")
@click.option("--method", "entry", metavar="NAME", help="As `compare` takes it (default delius).")
@click.option("--k", "ks", default="2:10", show_default=True, help="Numbers such as 2:10 or 4,8.")
@click.option("--seed", type=int, help="Seed of everything random (default 0).")
@click.option("--resamples", type=int, help="Fits on parts of the images for each k (default 3).")
@click.option("--where", metavar="SQL", help="Images to cluster, by columns of the view `latest`.")
@click.option("--presets", metavar="DIR", help="A folder with a YAML file of settings a method.")
@click.option("--num-workers", type=int, help="Training workers.")
@click.option("--use-gpu/--no-gpu", default=None, help="Train on GPUs.")
@click.option("--out", metavar="DIR", help="For the page, Markdown, CSV; by default in STORE.")
@executor_option
@config_options
def sweep(
    store: str,
    archive_id: str | None,
    backbone: str | None,
    entry: str | None,
    ks: str,
    resamples: int | None,
    where: str | None,
    presets: str | None,
    out: str | None,
    executor: str,
    config_file: str | None,
    overrides: tuple[str, ...],
    storage_options: tuple[str, ...],
    as_json: bool,
    **flags: Any,
) -> None:
    """Fit a method of STORE at several numbers of clusters, measure, and recommend one.

    Labels take no part. Every fit is kept as it is finished: the same command goes on where it
    stopped. The table `sweeps` has the figures; nothing is kept as a run.
    """
    from artcluster.cli.printing import print_json
    from artcluster.cli.session import open_job
    from artcluster.cli.show_sweep import show_sweep
    from artcluster.cli.trial_options import findings_place, preset_of
    from artcluster.stages.findings_files import write_findings
    from artcluster.stages.summary import as_json as plain
    from artcluster.stages.sweep import make_sweep
    from artcluster.stages.sweep_findings import sweep_findings
    from artcluster.stages.trials.entry import parse_numbers

    if resamples is not None:
        overrides = (*overrides, f"trials.resamples={resamples}")
    config = resolve_config(config_file, overrides, storage_options, flags)
    with open_job(config, store, executor, create=False) as job:
        made = make_sweep(
            job,
            parse_numbers(ks, "--k"),
            archive_id=archive_id,
            embedder=backbone,
            method=entry,
            where=where,
            preset=preset_of(presets, overrides),
        )
        place = findings_place(job, f"sweep-{made.sweep_id}", out)
        files = write_findings(place, "sweep", sweep_findings(made), plain(made), made.rows)
    if as_json:
        print_json(plain(made) | {"files": plain(files)})
    else:
        show_sweep(made, files)
