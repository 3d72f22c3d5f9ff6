"""`artcluster compare`: methods side by side on one archive."""

from dataclasses import asdict

import click

from artcluster.cli.options import (
    archive_option,
    executor_option,
    findings_option,
    ks_option,
    presets_option,
    training_options,
    where_option,
    with_config,
)
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster compare store/ --methods delius,ae-kmeans,pca-kmeans --k 2:10 \\
    --label genre --label style --seeds 0:2
  artcluster compare store/ --methods kmeans,kmeans+scaling=unit,kmeans@densenet121
  artcluster compare store/ --methods dcec-paint,dcec,dcec-noweights,cae-kmeans,cae-dec \\
    --presets examples/small
  artcluster compare store/ --methods delius --k 3,6 --where "artist = 'Pablo Picasso'"
  artcluster compare store/ --methods delius --label style --map style=periods.csv \\
    --label genre --top genre=10
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@click.option(
    "--methods",
    default="delius,ae-kmeans,pca-kmeans,kmeans",
    show_default=True,
    metavar="NAMES",
    help="METHOD, METHOD@BACKBONE or METHOD+SETTING=VALUE (of the section `cluster`), with commas.",
)
@archive_option
@click.option(
    "--backbone",
    metavar="NAME",
    help="Whose vectors methods are given, and the common space is; where there are several.",
)
@ks_option
@click.option("--seeds", default="0", show_default=True, help="Numbers such as 0:2.")
@click.option(
    "--label", "labels", multiple=True, metavar="COLUMN", help="Metadata column; may be repeated."
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="COLUMN=FILE",
    help="A further label: a CSV from values of a column to groups, such as styles to periods.",
)
@click.option(
    "--top",
    "tops",
    multiple=True,
    metavar="LABEL=N",
    help="Keep the N most frequent values, pool the rest as `others`; LABEL=N,drop leaves it out.",
)
@where_option
@presets_option
@click.option(
    "--baselines/--no-baselines",
    default=True,
    help="k-means on colour histograms and on a random network go along (default).",
)
@training_options
@findings_option
@executor_option
@with_config
def compare(
    store: str,
    methods: str,
    archive_id: str | None,
    backbone: str | None,
    ks: str,
    seeds: str,
    labels: tuple[str, ...],
    maps: tuple[str, ...],
    tops: tuple[str, ...],
    where: str | None,
    presets: str | None,
    baselines: bool,
    out: str | None,
    executor: str,
    config: Config,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Fit methods on the same images of STORE and measure them alike.

    A page with DELIUS' figures and DCEC-Paint's tables for this archive, the same as Markdown, and
    every figure as CSV and JSON. Labels are measured with, never trained on; images without one
    are left out of its figures. Every fit is kept as it is finished: the same command goes on
    where it stopped. Nothing is kept as a run. With --where, networks that a method trains on the
    pictures are still trained on the whole archive, the clusters on the subset.
    """
    from artcluster.cli.printing import print_json
    from artcluster.cli.session import open_job
    from artcluster.cli.show_findings import show_findings
    from artcluster.cli.trial_options import findings_place, labels_chosen, preset_of
    from artcluster.stages.compare import Asked, make_comparison
    from artcluster.stages.comparison.findings import comparison_findings
    from artcluster.stages.findings_files import write_findings
    from artcluster.stages.methods import METHODS
    from artcluster.stages.trials.entry import parse_entries, parse_numbers

    with open_job(config, store, executor, create=False) as job:
        asked = Asked(
            entries=parse_entries(methods, list(METHODS)),
            ks=parse_numbers(ks, "--k"),
            seeds=parse_numbers(seeds, "--seeds"),
            labels=labels_chosen(labels, maps, tops, config.archive.options),
            where=where,
            preset=preset_of(presets, overrides),
            baselines=baselines,
        )
        made = make_comparison(job, asked, archive_id=archive_id, embedder=backbone)
        findings = comparison_findings(job.store, made)
        place = findings_place(job, f"comparison-{made.comparison_id}", out)
        files = write_findings(place, "comparison", findings, asdict(made), made.rows)
    if as_json:
        print_json(asdict(made) | {"files": asdict(files)})
    else:
        show_findings(findings, files, already=made.already)
