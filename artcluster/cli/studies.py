"""`artcluster study`: what networks make of genres and styles, apart from any clustering."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from artcluster.cli.experiments import show_findings
from artcluster.cli.options import archive_option, executor_option, with_config
from artcluster.cli.tables import print_json

if TYPE_CHECKING:
    from artcluster.config import Config
    from artcluster.pages.findings import Findings
    from artcluster.workflows.studies.record import StudySummary

_EPILOG = """\b
Examples:
  artcluster profile store/
  artcluster profile store/ --style movement --genre genre --year date
  artcluster profile store/ --no-colours --json
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@archive_option
@click.option(
    "--style", metavar="COLUMN", help="Column of groups to compare (default: guessed by name)."
)
@click.option(
    "--genre",
    metavar="COLUMN",
    help="Column to cross-tabulate with style (default: guessed by name).",
)
@click.option(
    "--year", metavar="COLUMN", help="Column of years or dates (default: guessed by name)."
)
@click.option(
    "--colours/--no-colours", default=True, help="Compare colours, for which pictures are read."
)
@click.option(
    "--out", metavar="DIR", help="Output folder for the page and Markdown (default: inside STORE)."
)
@executor_option
@with_config
def profile(
    store: str,
    archive_id: str | None,
    style: str | None,
    genre: str | None,
    year: str | None,
    colours: bool,
    out: str | None,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Summarise an archive: metadata, styles over time and by genre, sizes, colours.

    Colours are compared within and between styles by the mean chi-square distance of histograms,
    on a sample of each style.
    """
    from artcluster.cli.experiments import findings_place, show_findings
    from artcluster.cli.session import open_job
    from artcluster.cli.tables import print_json
    from artcluster.workflows.experiments.findings_files import write_findings
    from artcluster.workflows.studies.profile import make_profile
    from artcluster.workflows.studies.profile_page import profile_findings

    with open_job(config, store, executor, create=False) as job:
        made = make_profile(job, archive_id, style=style, genre=genre, year=year, colours=colours)
        findings = profile_findings(made)
        place = findings_place(job, f"profile-{made.archive_id}", out)
        files = write_findings(place, "profile", findings, asdict(made))
    if as_json:
        print_json(asdict(made) | {"files": asdict(files)})
    else:
        show_findings(findings, files)


def show_summary(made: StudySummary, findings: Findings, json_wanted: bool) -> None:
    """Print what a study found."""
    if json_wanted:
        print_json(asdict(made))
        return
    show_findings(findings, made.files, already=made.already)


_GENRES = """\b
Examples:
  artcluster study genres store/ --label genre
  artcluster study genres store/ --label genre --config examples/small/genre-cae.yaml
  artcluster study genres store/ --label genre --top-styles 10 --grey
  artcluster study genres store/ --label genre --set study.genres.augment_to=0
"""


_BACKBONES = """\b
Examples:
  artcluster study backbones store/ --label style
  artcluster study backbones store/ --label style --backbone mobilenet_v2 \\
    --backbone random:mobilenet_v2
  artcluster study backbones store/ --label style --classes 8
  artcluster study backbones store/ --label style --map style=periods.csv
"""


_label = click.option("--label", "study_label", metavar="COLUMN", help="Metadata column to study.")


@click.group()
def study() -> None:
    """Study an archive against a label: supervised, and never used for clusters.

    Results are pages, Markdown, CSV and JSON below STORE/studies, and a row of the table
    `studies`. A study that was killed goes on when the same command is given again.
    """


@study.command(epilog=_GENRES)
@click.argument("store")
@_label
@archive_option
@click.option(
    "--top-styles", "study_top_styles", type=int, help="Only images of the most frequent styles."
)
@click.option(
    "--grey", "study_colours", flag_value="grey", help="Grey pictures instead of coloured ones."
)
@click.option("--seed", "study_genres_seed", type=int, help="Random seed.")
@executor_option
@with_config
def genres(
    store: str,
    archive_id: str | None,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Reconstruct the pictures of STORE by an autoencoder, genre by genre.

    Huge pictures are cut into slices, portraits cropped to faces (with the extra `faces`), rare
    genres augmented. Shows training and validation, loss against frequency, what augmentation
    does, and reconstructions beside originals.
    """
    from artcluster.cli.session import open_job
    from artcluster.workflows.studies.genre_page import genre_findings
    from artcluster.workflows.studies.genres import study_genres

    with open_job(config, store, executor, create=False) as job:
        made = study_genres(job, archive_id)
    show_summary(made, genre_findings(made.study, made.results, []), as_json)


@study.command(epilog=_BACKBONES)
@click.argument("store")
@_label
@archive_option
@click.option(
    "--backbone",
    "study_backbones",
    multiple=True,
    metavar="NAME",
    help="vgg16, resnet50 and densenet121 (default), mobilenet_v2, random:NAME; may be repeated.",
)
@click.option("--classes", "study_classes", type=int, help="Only the N most frequent labels.")
@click.option(
    "--map",
    "mapping",
    metavar="COLUMN=FILE",
    help="CSV of two columns that groups the label's values, such as styles into periods.",
)
@click.option("--seed", "study_backbones_seed", type=int, help="Random seed.")
@executor_option
@with_config
def backbones(
    store: str,
    archive_id: str | None,
    mapping: str | None,
    executor: str,
    config: Config,
    as_json: bool,
) -> None:
    """Fine-tune backbones to tell the labels of STORE apart, and compare them.

    First a head learns on the frozen network, then its last convolutional block with it, each
    until the validation loss no longer falls. Shows learning curves and confusion matrices.
    """
    from artcluster.cli.session import open_job
    from artcluster.workflows.studies.backbone_page import backbone_findings
    from artcluster.workflows.studies.backbones import study_backbones

    with open_job(config, store, executor, create=False) as job:
        made = study_backbones(job, archive_id, mapping)
    show_summary(made, backbone_findings(made.study, made.results), as_json)
