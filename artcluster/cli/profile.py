"""`artcluster profile`: what an archive holds."""

from dataclasses import asdict

import click

from artcluster.cli.options import archive_option, executor_option, with_config
from artcluster.config import Config

_EPILOG = """\b
Examples:
  artcluster profile store/
  artcluster profile store/ --style movement --genre genre --year date
  artcluster profile store/ --no-colours --json
"""


@click.command(epilog=_EPILOG)
@click.argument("store")
@archive_option
@click.option("--style", metavar="COLUMN", help="Groups to compare; by default guessed by name.")
@click.option("--genre", metavar="COLUMN", help="What styles are counted against; the same.")
@click.option("--year", metavar="COLUMN", help="Years or dates; the same.")
@click.option(
    "--colours/--no-colours", default=True, help="Compare colours, for which pictures are read."
)
@click.option("--out", metavar="DIR", help="For the page and Markdown; by default in STORE.")
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
    """Tell what an archive of STORE holds: metadata, styles over time and genres, sizes, colours.

    Colours are compared within and between styles by the mean chi-square distance of histograms,
    on a sample of each style.
    """
    from artcluster.cli.printing import print_json
    from artcluster.cli.session import open_job
    from artcluster.cli.show_findings import show_findings
    from artcluster.cli.trial_options import findings_place
    from artcluster.stages.findings_files import write_findings
    from artcluster.stages.profile.findings import profile_findings
    from artcluster.stages.profile.profile import make_profile

    with open_job(config, store, executor, create=False) as job:
        made = make_profile(job, archive_id, style=style, genre=genre, year=year, colours=colours)
        findings = profile_findings(made)
        place = findings_place(job, f"profile-{made.archive_id}", out)
        files = write_findings(place, "profile", findings, asdict(made))
    if as_json:
        print_json(asdict(made) | {"files": asdict(files)})
    else:
        show_findings(findings, files)
