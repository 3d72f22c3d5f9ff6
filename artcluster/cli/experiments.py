"""`artcluster compare`: methods side by side on one archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

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
from artcluster.cli.tables import new_console, print_rows, print_table
from artcluster.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from artcluster.config import Config
    from artcluster.location import Location
    from artcluster.pages.findings import Findings, FindingsTable
    from artcluster.workflows.experiments.findings_files import FindingsFiles
    from artcluster.workflows.experiments.labels import LabelChoice
    from artcluster.workflows.experiments.method_spec import Preset
    from artcluster.workflows.experiments.sweep import Sweep
    from artcluster.workflows.job import Job

_COLUMNS = 5


def show_findings(findings: Findings, files: FindingsFiles, *, already: bool = False) -> None:
    """Print what came out, the first table, and where the rest is."""
    from artcluster.pages.findings import FindingsTable

    console = new_console()
    first = findings.sections[0]
    for block in first.blocks:
        if isinstance(block, FindingsTable):
            _print_wide(console, block)
            if block.text:
                console.print(block.text, markup=False, style="dim")
    console.print()
    for point in first.points:
        console.print(f"- {point}", markup=False)
    console.print()
    rows = [("page", files.page), ("Markdown", files.markdown), ("JSON", files.data)]
    if files.table:
        rows.append(("CSV", files.table))
    print_rows(console, findings.title + (" (was made before)" if already else ""), rows)


def _print_wide(console: Console, table: FindingsTable) -> None:
    """Print a table a few columns at a time, each time with the first one."""
    for start in range(1, max(2, len(table.columns)), _COLUMNS):
        some = [0, *range(start, min(start + _COLUMNS, len(table.columns)))]
        rows = [tuple(row[column] for column in some) for row in table.rows]
        title = table.title if start == 1 else ""
        print_table(console, title, [table.columns[column] for column in some], rows)


def show_sweep(made: Sweep, files: FindingsFiles) -> None:
    """Print the table and the recommendation."""
    from artcluster.workflows.experiments.sweep_page import sweep_table

    console = new_console()
    sample = f" of {made.sampled_from:,}, a sample" if made.points < made.sampled_from else ""
    table = sweep_table(made)
    rows = [
        (cells[0] + (" *" if row["recommended"] else ""), *cells[1:])
        for cells, row in zip(table.rows, made.rows, strict=True)
    ]
    title = f"{made.method} on {made.points:,} images{sample}, vectors of {made.embedder_id}"
    print_table(console, title, table.columns, rows)
    print_rows(
        console,
        f"Sweep {made.sweep_id}" + (" (was made before)" if made.already else ""),
        [("recommended", f"k = {made.recommended}"), ("why", made.reason), ("open", files.page)],
    )


_SWEEP_EPILOG = """\b
Examples:
  artcluster sweep store/ --method kmeans --k 2:20
  artcluster sweep store/ --method delius --k 2:10 --presets examples/small
  artcluster sweep store/ --k 3,6,12 --where "artist = 'Pablo Picasso'" --json
"""


@click.command(epilog=_SWEEP_EPILOG)
@click.argument("store")
@archive_option
@vectors_option
@click.option(
    "--method", "entry", metavar="NAME", help="Method, as in `compare --methods` (default delius)."
)
@ks_option
@click.option("--seed", type=int, help="Random seed (default 0).")
@click.option("--resamples", type=int, help="Resamples per k, to measure stability (default 3).")
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
    from artcluster.cli.session import open_job
    from artcluster.cli.tables import print_json
    from artcluster.workflows.experiments.findings_files import write_findings
    from artcluster.workflows.experiments.method_spec import parse_numbers
    from artcluster.workflows.experiments.sweep import make_sweep
    from artcluster.workflows.experiments.sweep_page import sweep_findings

    numbers, preset = parse_numbers(ks, "--k"), preset_of(presets, overrides)
    with open_job(config, store, executor, create=False) as job:
        made = make_sweep(
            job,
            numbers,
            archive_id=archive_id,
            embedder=backbone,
            method=entry,
            where=where,
            preset=preset,
        )
        place = findings_place(job, f"sweep-{made.sweep_id}", out)
        files = write_findings(place, "sweep", sweep_findings(made), asdict(made), made.rows)
    if as_json:
        print_json(asdict(made) | {"files": asdict(files)})
    else:
        show_sweep(made, files)


def preset_of(folder: str | None, overrides: Sequence[str]) -> Preset:
    """Return the presets of a folder, over which `--set` of the command line holds.

    Raises:
        UsageError: There is no such folder.
    """
    from artcluster.workflows.experiments.method_spec import Preset

    if folder is not None and not Path(folder).is_dir():
        raise UsageError(f"--presets: there is no folder {folder}")
    given = []
    for override in overrides:
        name, _, text = override.partition("=")
        if name.startswith(("embed.", "cluster.")):
            given.append((name, yaml.safe_load(text)))
    return Preset(None if folder is None else Path(folder), tuple(given))


def findings_place(job: Job, name: str, out: str | None) -> Location:
    """Return the folder for files of findings: the one asked for, or one in the store."""
    from artcluster.location import Location
    from artcluster.store.layout import FINDINGS

    if out is not None:
        return Location.parse(out, job.config.store.options)
    return job.store.location.child(FINDINGS.path(name))


def labels_chosen(
    columns: Sequence[str], maps: Sequence[str], tops: Sequence[str], options: Mapping[str, str]
) -> LabelChoice:
    """Return the labels that --label, --map and --top ask for.

    Raises:
        UsageError: One of them is not as expected, or a mapping's file is not.
    """
    from artcluster.workflows.experiments.labels import LabelChoice, parse_top, read_mapping

    mapped = []
    for text in maps:
        column, equals, file = text.partition("=")
        if not equals or not file:
            raise UsageError(f"--map: expected COLUMN=FILE such as style=periods.csv, got {text!r}")
        mapped.append(read_mapping(column, file, options))
    return LabelChoice(tuple(columns), tuple(mapped), dict(map(parse_top, tops)))


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
    help="Backbone whose vectors the methods use and whose space is the common one, if the store "
    "has several.",
)
@ks_option
@click.option("--seeds", default="0", show_default=True, help="Range or list of seeds: 0:2 or 0,7.")
@click.option(
    "--label", "labels", multiple=True, metavar="COLUMN", help="Metadata column; may be repeated."
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="COLUMN=FILE",
    help="Add a label: CSV that maps values of COLUMN to groups, e.g. styles to periods.",
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
    help="Include the baselines: k-means on colour histograms and on a random network (default).",
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
    from artcluster.cli.session import open_job
    from artcluster.cli.tables import print_json
    from artcluster.workflows.experiments.compare import ComparisonSpec, make_comparison
    from artcluster.workflows.experiments.compare_page import comparison_findings
    from artcluster.workflows.experiments.findings_files import write_findings
    from artcluster.workflows.experiments.method_spec import parse_methods, parse_numbers

    asked = ComparisonSpec(
        methods=parse_methods(methods),
        ks=parse_numbers(ks, "--k"),
        seeds=parse_numbers(seeds, "--seeds"),
        labels=labels_chosen(labels, maps, tops, config.archive.options),
        where=where,
        preset=preset_of(presets, overrides),
        baselines=baselines,
    )
    with open_job(config, store, executor, create=False) as job:
        made = make_comparison(job, asked, archive_id=archive_id, embedder=backbone)
        findings = comparison_findings(job.store, made)
        place = findings_place(job, f"comparison-{made.comparison_id}", out)
        files = write_findings(place, "comparison", findings, asdict(made), made.rows)
    if as_json:
        print_json(asdict(made) | {"files": asdict(files)})
    else:
        show_findings(findings, files, already=made.already)
