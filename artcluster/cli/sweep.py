"""`artcluster sweep`: which number of clusters."""

from dataclasses import asdict

import click

from artcluster.cli.options import (
    archive_option,
    executor_option,
    findings_option,
    ks_option,
    presets_option,
    training_options,
    vectors_option,
    where_option,
    with_config,
)
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster sweep store/ --method kmeans --k 2:20
  artcluster sweep store/ --method delius --k 2:10 --presets examples/small
  artcluster sweep store/ --k 3,6,12 --where "artist = 'Pablo Picasso'" --json
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@archive_option
@vectors_option
@click.option("--method", "entry", metavar="NAME", help="As `compare` takes it (default delius).")
@ks_option
@click.option("--seed", type=int, help="Seed of everything random (default 0).")
@click.option("--resamples", type=int, help="Fits on parts of the images for each k (default 3).")
@where_option
@presets_option
@training_options
@findings_option
@executor_option
@with_config
def sweep(
    store: str,
    archive_id: str | None,
    backbone: str | None,
    entry: str | None,
    ks: str,
    where: str | None,
    presets: str | None,
    out: str | None,
    executor: str,
    config: Config,
    overrides: tuple[str, ...],
    as_json: bool,
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
    from artcluster.stages.sweep import make_sweep
    from artcluster.stages.sweep_findings import sweep_findings
    from artcluster.stages.trials.entry import parse_numbers

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
        files = write_findings(place, "sweep", sweep_findings(made), asdict(made), made.rows)
    if as_json:
        print_json(asdict(made) | {"files": asdict(files)})
    else:
        show_sweep(made, files)
